// SPDX-License-Identifier: Apache-2.0
// several.mjs FIRST - the official client, unmodified, at endpoints with several servers, in sessions. The environment: BOTH (two
// servers), DEAD (a server that is not there, and the same two), PAIR (two of old.mjs), ODD (the server that is
// not there alone, until it listens on ODD_PORT), PAIR_PORTS (of those two), FIXTURE_LOG (what servers say), CAROL and ALICE (keys; test.cedar of tests/e2e/mcp says who may do what).
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ElicitRequestSchema, LoggingMessageNotificationSchema, PromptListChangedNotificationSchema, ResourceListChangedNotificationSchema,
  ResourceUpdatedNotificationSchema, ToolListChangedNotificationSchema } from "@modelcontextprotocol/sdk/types.js";
import { check, run, until } from "./tap.mjs";
import { all } from "./pages.mjs";

const { BOTH, DEAD, PAIR, PAIR_PORTS, FIXTURE_LOG, ODD, ODD_PORT, CAROL, ALICE } = process.env;

async function connected(url, key, use, capabilities = { elicitation: {}, sampling: {} }) {
  const client = new Client({ name: "official", version: "1" }, { capabilities });
  const transport = new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers: { authorization: `Bearer ${key}` } } });
  await client.connect(transport);
  try {
    await use(client, transport);
  } finally {
    await client.close();
  }
}
const tools = (c) => all((p) => c.listTools(p), "tools");
const resources = (c) => all((p) => c.listResources(p), "resources");
const count = (list, name) => list.filter((n) => n === name).length;

check("tools, prompts and completions of both, in one session", () => connected(BOTH, CAROL, async (client, transport) => {
  assert.equal(client.getServerVersion().name, "nakoso");
  assert.deepEqual(client.getServerCapabilities(), { completions: {}, logging: {}, prompts: { listChanged: true },
    resources: { listChanged: true, subscribe: true }, tools: { listChanged: true } });
  await client.ping();
  await client.setLoggingLevel("debug");
  const names = (await tools(client)).map((t) => t.name);
  const prompts = (await all((p) => client.listPrompts(p), "prompts")).map((p) => p.name);
  for (const server of ["fixture", "second"]) {
    assert.equal(count(names, `${server}___test_simple_text`), 1);
    const r = await client.callTool({ name: `${server}___test_simple_text`, arguments: {} });
    assert.match(r.content[0].text, /simple text/);
    assert.equal(count(prompts, `${server}___test_simple_prompt`), 1);
    assert.equal((await client.getPrompt({ name: `${server}___test_simple_prompt` })).messages.length, 1);
    const c = await client.complete({ ref: { type: "ref/prompt", name: `${server}___test_prompt_with_arguments` }, argument: { name: "arg1", value: "pa" } });
    assert.deepEqual(c.completion.values, ["paris", "park", "party"]);
  }
  await transport.terminateSession();
  await assert.rejects(client.callTool({ name: "second___test_simple_text", arguments: {} }), /Mcp-Session-Id/);
}));

check("a resource says whose it is, wherever it is named", () => connected(BOTH, CAROL, async (client) => {
  const uris = (await resources(client)).map((r) => r.uri);
  const templates = (await all((p) => client.listResourceTemplates(p), "resourceTemplates")).map((t) => t.uriTemplate);
  for (const server of ["fixture", "second"]) {
    const uri = `${server}+test://static-text`;
    assert.equal(count(uris, uri), 1);
    assert.equal(new URL(uri).protocol, `${server}+test:`, "it is a URI");
    assert.equal(count(templates, `${server}+test://template/{id}/data`), 1);
    const { contents } = await client.readResource({ uri });
    assert.deepEqual([contents[0].uri, contents[0].text], [uri, "This is the content of the static text resource."]);
    const read = await client.readResource({ uri: `${server}+test://template/7/data` });
    assert.equal(JSON.parse(read.contents[0].text).id, "7");
    await client.subscribeResource({ uri: `${server}+test://watched-resource` });
    await client.unsubscribeResource({ uri: `${server}+test://watched-resource` });
    const tool = await client.callTool({ name: `${server}___test_embedded_resource`, arguments: {} });
    assert.equal(tool.content[0].resource.uri, `${server}+test://embedded-resource`);
    const prompt = await client.getPrompt({ name: `${server}___test_prompt_with_embedded_resource`, arguments: { resourceUri: "test://x" } });
    assert.equal(prompt.messages[0].content.resource.uri, `${server}+test://x`);
    const c = await client.complete({ ref: { type: "ref/resource", uri: `${server}+test://template/{id}/data` }, argument: { name: "id", value: "p" } });
    assert.equal(c.completion.values.length, 3);
  }
  for (const uri of ["test://static-text", "third+test://static-text", "fixture+"])
    await assert.rejects(client.readResource({ uri }), /no such resource/);
}));

check("a decision about a resource is about that of one server", () => connected(BOTH, ALICE, async (client) => {
  assert.deepEqual((await resources(client)).map((r) => r.uri).sort(), ["fixture+test://static-text", "second+test://static-binary", "second+test://static-text"]);
  assert.equal((await client.readResource({ uri: "second+test://static-binary" })).contents[0].mimeType, "image/png");
  await assert.rejects(client.readResource({ uri: "fixture+test://static-binary" }), (e) => e.code === -32010);
  await assert.rejects(client.callTool({ name: "second___test_simple_text", arguments: {} }), (e) => e.code === -32010);
}));

check("servers that ask at the same time get their own answers", () => connected(PAIR, CAROL, async (client) => {
  client.setRequestHandler(ElicitRequestSchema, async (r) => ({ action: "accept", content: { name: `to ${r.params.message}` } }));
  const ask = (server) => client.callTool({ name: `${server}___ask`, arguments: { message: server } });
  const said = await Promise.all(["old", "older", "old"].map(ask));
  assert.deepEqual(said.map((r) => r.content[0].text), ["old: to old", "older: to older", "old: to old"]);
  assert.equal((await client.callTool({ name: "older___link", arguments: {} })).content[0].uri, "older+old://page");
  assert.equal(client.getInstructions(), "old: Be kind.\n\nolder: Be kind.");
}));

const ports = PAIR_PORTS.split(" ");
const at = async (i, path) => (await fetch(`http://127.0.0.1:${ports[i]}${path}`)).text();
const opened = () => until("streams of both", async () => await at(0, "/state") === "open" && await at(1, "/state") === "open");
function listening(client) {
  const heard = [];
  for (const schema of [ToolListChangedNotificationSchema, ResourceListChangedNotificationSchema, PromptListChangedNotificationSchema])
    client.setNotificationHandler(schema, (n) => { heard.push(n.method.replace("notifications/", "")); });
  client.setNotificationHandler(ResourceUpdatedNotificationSchema, (n) => { heard.push(n.params.uri); });
  client.setNotificationHandler(LoggingMessageNotificationSchema, (n) => { heard.push(n.params.data); });
  return heard;
}
const tell = (client, server) => client.callTool({ name: `${server}___tell`, arguments: {} });
const said = (uri) => ["on its own", uri, "prompts/list_changed", "resources/list_changed", "tools/list_changed"].sort();

check("one stream carries what every server says on its own account", () => connected(PAIR, CAROL, async (client) => {
  const heard = listening(client);
  client.setRequestHandler(ElicitRequestSchema, async (r) => ({ action: "accept", content: { name: `to ${r.params.message}` } }));
  await opened();
  for (const server of ["older", "old"]) {
    await tell(client, server);
    await until(`what ${server} says`, () => heard.length === 5);
    assert.deepEqual(heard.splice(0).sort(), said(`${server}+old://page`));
  }
  const wonder = (server) => client.callTool({ name: `${server}___wonder`, arguments: { message: server } });
  const answers = await Promise.all(["old", "older"].map(wonder));
  assert.deepEqual(answers.map((r) => r.content[0].text), ["old: to old", "older: to older"]);
  await sleep(100);
  const before = Date.now();
  await client.close();
  const left = () => ports.map((p) => Number([...readFileSync(FIXTURE_LOG, "utf8").matchAll(RegExp(`stream of ${p} left at (\\d+)`, "g"))].at(-1)?.[1] ?? 0));
  await until("both hear that the client left", () => left().every((t) => t >= before));
  console.log(`# the servers heard ${left().map((t) => t - before).join(" and ")} ms after the client had left`);
}));

check("a server that ends its stream, or has none, does not end the client's", async () => {
  await connected(PAIR, CAROL, async (client) => {
    const heard = listening(client);
    await opened();
    await at(0, "/close");
    await until("the first is over", async () => await at(0, "/state") === "none");
    await tell(client, "older");
    await until("what the other says", () => heard.length === 5);
  });
  await at(0, "/refuse");
  await connected(PAIR, CAROL, async (client) => {
    const heard = listening(client);
    await until("the stream of the other", async () => await at(1, "/state") === "open");
    await tell(client, "older");
    await until("what the other says", () => heard.length === 5);
  });
});

check("what servers tell while they run comes through", () => connected(BOTH, CAROL, async (client) => {
  const lines = [], steps = [];
  client.setNotificationHandler(LoggingMessageNotificationSchema, (n) => { lines.push(n.params.data); });
  await client.callTool({ name: "second___test_tool_with_logging", arguments: {} });
  await client.callTool({ name: "second___test_tool_with_progress", arguments: {} }, undefined, { onprogress: (p) => steps.push(p.progress) });
  assert.equal(lines.length, 3);
  assert.deepEqual(steps, [0, 50, 100]);
}));

check("a server that is not there takes nothing but its own with it", () => connected(DEAD, CAROL, async (client) => {
  const names = (await tools(client)).map((t) => t.name);
  assert.equal(names.some((n) => n.startsWith("dead___")), false);
  for (const server of ["fixture", "second"]) {
    assert.equal(count(names, `${server}___test_simple_text`), 1);
    assert.match((await client.callTool({ name: `${server}___test_simple_text`, arguments: {} })).content[0].text, /simple text/);
  }
  assert.equal((await resources(client)).filter((r) => r.uri === "second+test://static-text").length, 1);
  await assert.rejects(client.getPrompt({ name: "dead___x" }), /was not there when the session began/);
}));

check("a server that answers with a revision of nobody is as one that is not there", async () => {
  await assert.rejects(connected(ODD, CAROL, () => {}), /502|could not be reached/);
  const odd = createServer((req, res) => {
    res.writeHead(200, { "content-type": "application/json", "mcp-session-id": "odd" });
    res.end(JSON.stringify({ jsonrpc: "2.0", id: 0, result: { protocolVersion: "1999-01-01", capabilities: {}, serverInfo: { name: "odd", version: "1" } } }));
  }).listen(Number(ODD_PORT), "127.0.0.1");
  await once(odd, "listening");
  try {
    await assert.rejects(connected(ODD, CAROL, () => {}), /502|breaks its own format/);
    await connected(DEAD, CAROL, async (client) => assert.equal((await tools(client)).some((t) => t.name === "second___test_simple_text"), true));
  } finally {
    odd.closeAllConnections();
    odd.close();
  }
});

await run("mcp", "several servers in sessions");
