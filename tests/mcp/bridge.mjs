// SPDX-License-Identifier: Apache-2.0
// bridge.mjs FIRST - official clients of one generation of MCP before servers of the other (old.mjs, new.mjs), and before both at
// once. The environment: OLD, NEW, MIXED, FOUND (endpoints; of
// FOUND nobody says what its server speaks, which is new.mjs), ALICE, BOB (keys of two who may do everything), CAROL (who may not read
// what is medical), OLD_LOG (what the servers wrote).
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Client as NewClient, StreamableHTTPClientTransport as NewTransport } from "@modelcontextprotocol/client";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { check, run } from "./tap.mjs";
import { all } from "./pages.mjs";

const { OLD, NEW, MIXED, FOUND, ALICE, BOB, CAROL, OLD_LOG } = process.env;
const headers = (key) => ({ requestInit: { headers: { authorization: `Bearer ${key}` } } });
const sessions = () => (readFileSync(OLD_LOG, "utf8").match(/^session /gm) ?? []).length;

async function old(url, use, key = ALICE) {
  const client = new Client({ name: "old-client", version: "1" }, { capabilities: { elicitation: {} } });
  const transport = new StreamableHTTPClientTransport(new URL(url), headers(key));
  await client.connect(transport);
  await use(client, transport).finally(() => client.close());
}
async function modern(url, use, key = ALICE) {
  const client = new NewClient({ name: "new-client", version: "1" }, { capabilities: { elicitation: { form: {} } }, versionNegotiation: { mode: { pin: "2026-07-28" } } });
  await client.connect(new NewTransport(new URL(url), headers(key)));
  await use(client).finally(() => client.close());
}
// What both servers have, by a client of either generation. `s`: the server's prefix, `scheme` that of its URIs.
async function use(client, s, scheme, uri = (u) => u) {
  const tools = (await all((p) => client.listTools(p), "tools")).map((t) => t.name);
  assert.equal(tools.filter((n) => n === `${s}___add`).length, 1);
  const sum = await client.callTool({ name: `${s}___add`, arguments: { a: 2, b: 3 } });
  assert.deepEqual([sum.structuredContent, sum.content[0].text], [{ sum: 5 }, "5"]);
  const failed = await client.callTool({ name: `${s}___fail`, arguments: {} });
  assert.deepEqual([failed.isError, failed.content[0].text], [true, "It fails."]);
  const steps = [];
  const done = await client.callTool({ name: `${s}___steps`, arguments: {} }, ...client instanceof Client ? [undefined] : [], { onprogress: (p) => steps.push(p.progress) });
  assert.equal(done.content[0].text, "Done.");
  assert.deepEqual(steps, [1, 2]);
  assert.equal((await all((p) => client.listResources(p), "resources")).some((r) => r.uri === uri(`${scheme}://page`)), true);
  assert.equal((await all((p) => client.listResourceTemplates(p), "resourceTemplates")).some((r) => r.uriTemplate === uri(`${scheme}://pages/{n}`)), true);
  assert.equal((await client.readResource({ uri: uri(`${scheme}://pages/7`) })).contents[0].text, "Page 7.");
  await assert.rejects(client.readResource({ uri: uri(`${scheme}://nothing`) }), (e) => client instanceof Client ? e.code < 0 : e.code === -32602);
  assert.equal((await all((p) => client.listPrompts(p), "prompts")).some((p) => p.name === `${s}___greet`), true);
  assert.equal((await client.getPrompt({ name: `${s}___greet`, arguments: { who: "Zoe" } })).messages[0].content.text, "Greet Zoe.");
  const completed = await client.complete({ ref: { type: "ref/resource", uri: uri(`${scheme}://pages/{n}`) }, argument: { name: "n", value: "" } });
  assert.deepEqual(completed.completion.values, ["1", "2"]);
  await assert.rejects(client.callTool({ name: `${s}___nothing`, arguments: {} }), /No such tool is approved/);
}

check("a client of 2025-11-25 before a server of 2026-07-28", () => old(NEW, async (client, transport) => {
  assert.deepEqual([client.getServerVersion(), client.getInstructions()], [{ name: "new", version: "2.0.0" }, "Be brief."]);
  assert.deepEqual(client.getServerCapabilities(), { completions: {}, prompts: {}, resources: {}, tools: {} });
  await client.ping();
  await use(client, "new", "new");
  const region = await client.callTool({ name: "new___region", arguments: { region: "north" } });
  assert.equal(region.content[0].text, "Region north", "the header that the server wants is made of the argument");
  const told = JSON.parse((await client.callTool({ name: "new___told", arguments: {} })).content[0].text);
  assert.deepEqual(told["io.modelcontextprotocol/clientCapabilities"], { elicitation: { form: {} } }, "it is told what the client can");
  await assert.rejects(client.request({ method: "logging/setLevel", params: { level: "debug" } }, { parse: (x) => x, safeParse: (x) => ({ success: true, data: x }) }));
  await transport.terminateSession();
}));

check("a client of 2026-07-28 before a server of 2025-11-25", () => modern(OLD, async (client) => {
  assert.deepEqual([client.getServerVersion(), client.getInstructions()], [{ name: "old", version: "1.0.0" }, "Be kind."]);
  assert.deepEqual(client.getServerCapabilities(), { completions: {}, prompts: {}, resources: {}, tools: {} });
  await use(client, "old", "old");
  const can = JSON.parse((await client.callTool({ name: "old___can", arguments: {} })).content[0].text);
  assert.deepEqual(can, {}, "it is told of no capability");
  await assert.rejects(client.callTool({ name: "old___ask", arguments: { message: "Who?" } }), /breaks its own format/, "so what it asks all the same ends the call");
}));

check("what a server speaks is found when a session begins", () => old(FOUND, async (client, transport) => {
  assert.equal(client.getServerVersion().name, "new");
  await use(client, "found", "new");
  await transport.terminateSession();
}));

check("what the other generation does not have is refused as each of them says it", async () => {
  const post = (url, body, more) => fetch(url, { method: "POST", body: JSON.stringify({ jsonrpc: "2.0", id: 1, ...body }), headers: {
    ...headers(ALICE).requestInit.headers, accept: "application/json, text/event-stream", "content-type": "application/json", ...more } });
  const _meta = { "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {} };
  const listen = await post(OLD, { method: "subscriptions/listen", params: { _meta, notifications: {} } },
    { "mcp-protocol-version": "2026-07-28", "mcp-method": "subscriptions/listen" });
  assert.deepEqual([listen.status, (await listen.json()).error.code], [404, -32601]);
  const level = await post(NEW, { method: "logging/setLevel", params: { level: "info" } }, { "mcp-protocol-version": "2025-11-25" });
  assert.deepEqual([level.status, (await level.json()).error.code], [200, -32601]);
  const stream = await fetch(NEW, { headers: { ...headers(ALICE).requestInit.headers, accept: "text/event-stream" } });
  assert.equal(stream.status, 405);
});

check("a session that is kept is one principal's, and begun anew when the server forgets it", async () => {
  const session = (who) => modern(OLD, async (client) => { ids.push((await client.callTool({ name: "old___session", arguments: {} })).content[0].text); }, who);
  const ids = [], before = sessions();
  for (const who of [ALICE, BOB, ALICE]) await session(who);
  assert.equal(ids[0], ids[2]);
  assert.notEqual(ids[0], ids[1]);
  assert.equal(sessions() - before, 1, "alice had hers");
  await fetch(process.env.DIRECT, { method: "DELETE", headers: { "mcp-session-id": ids[0], "mcp-protocol-version": "2025-11-25" } });
  for (const who of [ALICE, BOB]) await session(who);
  assert.equal(sessions() - before, 2);
  assert.notEqual(ids[3], ids[0]);
  assert.equal(ids[4], ids[1]);
});

for (const [name, client] of [["2025-11-25", old], ["2026-07-28", modern]])
  check(`servers of both generations behind one endpoint, for a client of ${name}`, () => client(MIXED, async (c) => {
    assert.equal(c.getInstructions(), "old: Be kind.\n\nnew: Be brief.");
    await use(c, "old", "old", (u) => `old+${u}`);
    await use(c, "new", "new", (u) => `new+${u}`);
  }));

// Ids of requests are the client's: one that is used twice at once must not carry an answer past what was decided about it.
const open = async (key) => {
  const headers = { authorization: `Bearer ${key}`, "content-type": "application/json", accept: "application/json, text/event-stream", "mcp-protocol-version": "2025-11-25" };
  const post = (message) => fetch(OLD, { method: "POST", body: JSON.stringify({ jsonrpc: "2.0", ...message }), headers });
  const begun = await post({ id: 0, method: "initialize", params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "raw", version: "1" } } });
  headers["mcp-session-id"] = begun.headers.get("mcp-session-id");
  await post({ method: "notifications/initialized" });
  return { headers, call: async (id, name, args) => (await post({ id, method: "tools/call", params: { name: `old___${name}`, arguments: args } })).text(),
    say: async (message) => (await post(message)).text() };
};
check("an id that a client uses twice at once gives each request its own answer, without what is hidden in it", async () => {
  const { call, say } = await open(CAROL);
  const [chart, echo] = await Promise.all([call(7, "chart", { ms: 200 }), (async () => { await sleep(50); return call(7, "echo", { say: "hello", ms: 600 }); })()]);
  assert.match(chart, /"id":7/);
  assert.match(chart, /Suzuki/);
  assert.match(echo, /"id":7.*hello|hello.*"id":7/);
  assert.doesNotMatch(chart + echo, /measles/);
  assert.match(await say({ id: "nakoso-1", method: "tools/call", params: { name: "old___echo", arguments: { say: "x", ms: 0 } } }), /are the gateway's/);
});
check("clients of 2026-07-28 that share a session of ours at the server share no answers", async () => {
  const post = async (say, ms) => (await fetch(OLD, { method: "POST", headers: { authorization: `Bearer ${ALICE}`, "content-type": "application/json",
    accept: "application/json, text/event-stream", "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "old___echo" },
  body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "old___echo", arguments: { say, ms },
    _meta: { "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {} } } }) })).text();
  const [one, two] = await Promise.all([post("one", 300), (async () => { await sleep(50); return post("two", 500); })()]);
  assert.deepEqual([one.includes('"one"'), two.includes('"two"')], [true, true], one + two);
});
check("the stream of a session tells nobody what the results of its calls do not", async () => {
  for (const [key, hears] of [[CAROL, false], [ALICE, true]]) {
    const { headers, call } = await open(key), cut = new AbortController();
    const stream = await fetch(OLD, { headers: { ...headers, accept: "text/event-stream" }, signal: cut.signal });
    let text = "";
    const reading = (async () => { for await (const part of stream.body) text += Buffer.from(part); })().catch(() => {});
    const chart = await call(1, "chart", { ms: 50 });
    for (let i = 0; i < 40 && !text.includes("measles"); i++) await sleep(hears ? 50 : 10);
    cut.abort();
    await reading;
    assert.deepEqual([chart.includes("measles"), text.includes("measles")], [hears, hears]);
  }
});

await run("mcp", "translated");
