// SPDX-License-Identifier: Apache-2.0
// several.mjs FIRST - the official client, unmodified, at endpoints with several servers, in sessions. The environment: BOTH (two
// servers), DEAD (a server that is not there, and the same two), PAIR (two of old.mjs), CAROL and ALICE (keys; test.cedar of tests/e2e/mcp says who may do what).
import assert from "node:assert/strict";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ElicitRequestSchema, LoggingMessageNotificationSchema } from "@modelcontextprotocol/sdk/types.js";
import { check, run } from "./tap.mjs";

const { BOTH, DEAD, PAIR, CAROL, ALICE } = process.env;

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
// All pages of a list.
async function all(list, member) {
  const found = [];
  for (let cursor; ;) {
    const page = await list(cursor === undefined ? {} : { cursor });
    found.push(...page[member]);
    if ((cursor = page.nextCursor) === undefined) return found;
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

await run("mcp", "several servers in sessions");
