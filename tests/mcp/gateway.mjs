// SPDX-License-Identifier: Apache-2.0
// gateway.mjs FIRST - what the gateway itself does with requests of MCP clients, by their bytes. The environment: BASE (the
// endpoint, names with prefix), BARE (the same server, names as they are), BOTH
// (it and a second one), DIRECT (the server itself), ALICE, BOB and CAROL
// (keys; test.cedar of tests/e2e/mcp says who may do what), FIXTURE_LOG (what the server wrote).
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { request } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { check, run, until } from "./tap.mjs";

const { BASE, BARE, BOTH, DIRECT, ALICE, BOB, CAROL, FIXTURE_LOG } = process.env;
const accept = "application/json, text/event-stream";

// One request by its bytes; headers may be repeated or undefined (left out). The answer, all of it.
function ask(url, method, headers, body) {
  return new Promise((done, fail) => {
    const all = { accept, ...body !== undefined && { "content-type": "application/json" }, ...headers };
    for (const k of Object.keys(all)) if (all[k] === undefined) delete all[k];
    const req = request(url, { method, headers: all }, (res) => {
      let text = "";
      res.setEncoding("utf8").on("data", (d) => { text += d; }).on("end", () => {
        const data = text.split("\n").filter((l) => l.startsWith("data: {")).map((l) => JSON.parse(l.slice(6)));
        let json;
        try { json = JSON.parse(text); } catch { json = data.at(-1); }
        done({ status: res.statusCode, headers: res.headers, json, text, refused: res.headers["x-nakoso-refused"] });
      });
    });
    req.on("error", fail);
    req.end(body);
  });
}
const key = (who) => ({ authorization: who && `Bearer ${who}` });
const NEW = "2026-07-28";
const meta = (capabilities = {}, version = NEW) => ({ _meta: {
  "io.modelcontextprotocol/protocolVersion": version, "io.modelcontextprotocol/clientCapabilities": capabilities } });
const nameOf = (params) => params.name ?? params.uri;
// A request of 2026-07-28 as a client should send it; `with` replaces headers.
function send(who, method, params = {}, { url = BASE, capabilities, headers = {} } = {}) {
  const body = JSON.stringify({ jsonrpc: "2.0", id: 7, method, params: { ...params, ...meta(capabilities) } });
  const named = ["tools/call", "resources/read", "prompts/get"].includes(method);
  return ask(url, "POST", { ...who && key(who), "mcp-protocol-version": NEW, "mcp-method": method,
    ...named && { "mcp-name": nameOf(params) }, ...headers }, body);
}
const post = (who, body, headers = {}, url = BASE) => ask(url, "POST", { ...key(who), ...headers }, body);
const initialize = (protocolVersion = "2025-11-25") => JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize",
  params: { protocolVersion, capabilities: { sampling: {}, elicitation: {} }, clientInfo: { name: "t", version: "1" } } });
const refusedBy = (r, status, code, id) => {
  assert.equal(r.status, status, r.text);
  assert.equal(r.json?.error?.code, code, r.text);
  assert.equal(r.refused, id, "the gateway refused it, not the server");
};
const tool = (name, rest = {}) => ({ name: `fixture___${name}`, arguments: {}, ...rest });

check("nobody gets anything", async () => {
  const r = await send(undefined, "tools/list");
  refusedBy(r, 401, -32000, "no_credential");
  assert.equal(r.headers["www-authenticate"]?.startsWith("Bearer"), true);
  refusedBy(await send("wrong-key", "tools/list"), 401, -32000, "bad_credential");
});

check("Host and Origin have to be known", async () => {
  for (const headers of [{ host: "evil.example.com" }, { origin: "http://evil.example.com" }, { origin: "null" },
    { origin: "http://localhost.evil.example.com" }, { origin: "file://localhost" }, { host: "[::2]:80" }])
    refusedBy(await send(ALICE, "tools/list", {}, { headers }), 403, -32000, "unknown_origin");
  for (const headers of [{ origin: "http://localhost:3000" }, { origin: "https://app.example.com" }, { host: "LOCALHOST:1" }])
    assert.equal((await send(ALICE, "tools/list", {}, { headers })).status, 200);
  refusedBy(await ask(BASE, "GET", { ...key(ALICE), origin: "http://evil.example.com" }), 403, -32000, "unknown_origin");
});

check("what two readers could read differently is refused before anything is decided", async () => {
  const one = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping" });
  refusedBy(await post(ALICE, `[${one}]`), 400, -32600, "bad_request");
  refusedBy(await post(ALICE, one.replace("}", ",\"method\":\"tools/call\"}")), 400, -32700, "bad_json");
  refusedBy(await post(ALICE, one.replace("}", ",\"Method\":\"tools/call\"}")), 400, -32600, "bad_request");
  refusedBy(await post(ALICE, `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":${"[".repeat(80)}${"]".repeat(80)}}}`), 413, -32700, "too_large");
  refusedBy(await post(ALICE, "{"), 400, -32700, "bad_json");
  assert.equal((await post(ALICE, one, { "content-type": "text/plain" })).status, 415);
  refusedBy(await post(ALICE, JSON.stringify({ jsonrpc: "2.0", id: 1, method: "ping", params: { x: "y".repeat(2 << 20) } })), 413, -32000, "too_large");
});

check("headers have to say what the body says", async () => {
  const call = (headers) => send(ALICE, "tools/call", tool("test_simple_text"), { headers });
  assert.equal((await call({})).json.result.content[0].type, "text");
  assert.equal((await call({ "mcp-name": `=?base64?${Buffer.from("fixture___test_simple_text").toString("base64")}?=` })).status, 200);
  for (const headers of [{ "mcp-name": "fixture___wait" }, { "mcp-name": undefined }, { "mcp-method": "tools/list" }, { "mcp-method": undefined },
    { "mcp-protocol-version": undefined }, { "mcp-protocol-version": "2025-11-25" }, { "mcp-name": "=?base64?Zm9v=?=" }])
    refusedBy(await call(headers), 400, -32020, "bad_request");
});

check("revisions that are not spoken", async () => {
  const r = await post(ALICE, JSON.stringify({ jsonrpc: "2.0", id: "x", method: "tools/list", params: meta({}, "2031-01-01") }),
    { "mcp-protocol-version": "2031-01-01", "mcp-method": "tools/list" });
  refusedBy(r, 400, -32022, "bad_request");
  assert.deepEqual([r.json.id, r.json.error.data.supported, r.json.error.data.requested], ["x", [NEW], "2031-01-01"]);
  refusedBy(await post(ALICE, JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list", params: {} }), { "mcp-protocol-version": NEW }), 400, -32602, "bad_request");
  refusedBy(await post(ALICE, initialize(), { "mcp-protocol-version": NEW }), 400, -32020, "bad_request");
  const old = await post(ALICE, initialize("1999-01-01"));
  assert.equal(old.json.result.protocolVersion, "2025-11-25", "it is offered what both speak");
});

check("a list shows exactly what may be called", async () => {
  const all = (await send(undefined, "tools/list", {}, { url: DIRECT })).json.result.tools.map((t) => t.name);
  const listed = (await send(ALICE, "tools/list")).json.result.tools.map((t) => t.name);
  assert.equal(listed.length > 3 && listed.length < all.length, true);
  for (const name of all.filter((n) => !["wait", "morph"].includes(n))) {
    const r = await send(ALICE, "tools/call", { ...tool(name), arguments: { region: "x", message: "m", prompt: "p", email: "e" } }, { headers: { "mcp-param-region": "x" } });
    assert.equal(r.refused === "policy_denied", !listed.includes(`fixture___${name}`), name);
  }
  assert.deepEqual((await send(BOB, "tools/list")).json.result.tools, []);
  assert.deepEqual((await send(BOB, "prompts/list")).json.result.prompts, []);
  assert.deepEqual((await send(BOB, "resources/list")).json.result.resources, []);
  assert.deepEqual((await send(ALICE, "resources/list")).json.result.resources.map((r) => r.uri), ["test://static-text"]);
  const prompts = (await send(ALICE, "prompts/list")).json.result.prompts.map((p) => p.name);
  assert.deepEqual(prompts, ["fixture___test_simple_prompt"]);
});

check("what is refused is an error of the protocol that says why", async () => {
  const r = await send(BOB, "tools/call", tool("test_simple_text"));
  refusedBy(r, 200, -32010, "policy_denied");
  assert.equal(r.json.id, 7);
  assert.match(r.json.error.message, /User::"bob" may not call the tool fixture___test_simple_text/);
  assert.equal(r.json.error.data.request, r.headers["x-request-id"]);
  refusedBy(await send(ALICE, "resources/read", { uri: "test://static-binary" }), 200, -32010, "policy_denied");
  assert.equal((await send(ALICE, "resources/read", { uri: "test://static-text" })).json.result.contents[0].uri, "test://static-text");
  refusedBy(await send(ALICE, "prompts/get", { name: "fixture___test_prompt_with_image" }), 200, -32010, "policy_denied");
  refusedBy(await send(ALICE, "tools/call", { name: "other___x" }), 400, -32602, "bad_request");
  refusedBy(await send(ALICE, "tools/call", { name: "test_simple_text" }), 400, -32602, "bad_request");
});

check("a method that nobody knows is refused unless a policy permits it", async () => {
  refusedBy(await send(ALICE, "tasks/get", { taskId: "x" }), 200, -32010, "policy_denied");
  refusedBy(await send(ALICE, "tools/Call", tool("test_simple_text")), 200, -32010, "policy_denied");
});

check("names are the server's own where the operator says so", async () => {
  const r = await send(ALICE, "tools/call", { name: "test_simple_text", arguments: {} }, { url: BARE });
  assert.match(r.json.result.content[0].text, /simple text/);
  const names = (await send(ALICE, "tools/list", {}, { url: BARE })).json.result.tools.map((t) => t.name);
  assert.equal(names.includes("test_simple_text"), true);
});

check("what was made for one is private", async () => {
  const cached = (r) => [r.json.result.cacheScope, r.json.result.ttlMs];
  assert.deepEqual(cached(await send(undefined, "tools/list", {}, { url: DIRECT })), ["public", 1000]);
  assert.deepEqual(cached(await send(ALICE, "tools/list")), ["private", 1000]);
  assert.deepEqual(cached(await send(ALICE, "resources/read", { uri: "test://static-text" })), ["private", 1000]);
});

check("the server gets neither the client's credential nor its cookies", async () => {
  const r = await send(ALICE, "tools/call", tool("tell_headers"), { headers: { cookie: "a=b", "x-forwarded-for": "1.2.3.4", "mcp-session-id": "x", "mcp-param-own": "1" } });
  const seen = JSON.parse(r.json.result.content[0].text);
  for (const name of ["authorization", "cookie", "x-forwarded-for", "mcp-session-id", "x-api-key"]) assert.equal(seen[name], undefined, name);
  assert.deepEqual([seen["mcp-name"], seen["mcp-method"], seen["mcp-param-own"], seen["mcp-protocol-version"]],
    ["tell_headers", "tools/call", "1", NEW]);
});

check("a server may ask the client only for what the judge permits", async () => {
  const capabilities = { sampling: {}, elicitation: {} };
  const r = await send(ALICE, "tools/call", tool("test_input_required_result_capabilities"), { capabilities });
  assert.deepEqual(Object.keys(r.json.result.inputRequests), ["name"], "alice may be asked, her model not");
});

check("arguments are what the approved definition says", async () => {
  const call = (args) => send(ALICE, "tools/call", { name: "fixture___patient", arguments: args });
  for (const args of [{ id: "7" }, {}, { id: 7.5 }, { id: [7] }]) refusedBy(await call(args), 200, -32602, "bad_arguments");
  assert.equal((await call({ id: 7 })).status, 200);
});

check("headers that repeat arguments are held to the approved definition", async () => {
  const call = (headers) => send(ALICE, "tools/call", { name: "fixture___test_headers", arguments: { region: "eu" } }, { headers });
  assert.match((await call({ "mcp-param-region": "eu" })).json.result.content[0].text, /Region eu/);
  for (const headers of [{}, { "mcp-param-region": "us" }, { "mcp-param-region": "=?base64?ZXU?=" }]) refusedBy(await call(headers), 400, -32020, "bad_request");
});

check("fields that may not be read are gone, wherever they stand", async () => {
  const call = (who) => send(who, "tools/call", { name: "fixture___patient", arguments: { id: 7 }, _meta: {} });
  const mine = await call(CAROL);
  assert.match(mine.text, /secret-diagnosis/);
  const other = await call(ALICE);
  assert.deepEqual(other.json.result.structuredContent, { id: 7, name: "Jane", wards: [{ name: "A" }] });
  assert.doesNotMatch(other.text, /secret/);
  // The same in a stream that also tells how far it is, once with the secret and once without.
  const body = { jsonrpc: "2.0", id: 7, method: "tools/call", params: { name: "fixture___patient", arguments: { id: 7 },
    _meta: { ...meta()._meta, progressToken: "p" } } };
  const streamed = await post(ALICE, JSON.stringify(body), { "mcp-protocol-version": NEW, "mcp-method": "tools/call", "mcp-name": "fixture___patient" });
  assert.equal((streamed.text.match(/notifications\/progress/g) ?? []).length, 1, streamed.text);
  assert.doesNotMatch(streamed.text, /secret/);
  const begun = await post(ALICE, initialize());
  const session = { "mcp-session-id": begun.headers["mcp-session-id"], "mcp-protocol-version": "2025-11-25" };
  const old = await post(ALICE, JSON.stringify({ jsonrpc: "2.0", id: 9, method: "tools/call", params: { name: "fixture___patient", arguments: { id: 7 } } }), session);
  assert.deepEqual(old.json.result.structuredContent, { id: 7, name: "Jane", wards: [{ name: "A" }] });
  assert.doesNotMatch(old.text, /secret/);
});

check("what a person has to agree to is asked, once, for exactly this", async () => {
  const can = { capabilities: { elicitation: {} } };
  const pay = (args, rest = {}, who = CAROL, by = can) => send(who, "tools/call", { name: "fixture___pay", arguments: args, ...rest }, by);
  const asked = (await pay({ to: "Zoe", amount: 5 })).json.result;
  assert.equal(asked.resultType, "input_required");
  assert.match(asked.inputRequests.nakoso_approval.params.message, /"to":"Zoe","amount":5/);
  const answer = (content, action = "accept", requestState = asked.requestState) => ({ requestState, inputResponses: { nakoso_approval: { action, content } } });
  const yes = answer({ approve: true });
  const again = (r) => assert.equal(r.json.result?.resultType, "input_required", r.text);
  again(await pay({ to: "Zoe", amount: 6 }, yes)); // other arguments; and now it is used
  const second = (await pay({ to: "Zoe", amount: 5 })).json.result;
  const good = answer({ approve: true }, "accept", second.requestState);
  again(await pay({ to: "Zoe", amount: 5 }, answer({ approve: true }, "accept", `${second.requestState}A`)));
  assert.match((await pay({ to: "Zoe", amount: 5 }, good)).json.result.content[0].text, /Paid 5 to Zoe/);
  again(await pay({ to: "Zoe", amount: 5 }, good)); // once
  const third = (await pay({ to: "Zoe", amount: 5 })).json.result;
  again(await pay({ to: "Zoe", amount: 5 }, answer({ approve: true }, "accept", third.requestState), ALICE)); // somebody else's
  refusedBy(await pay({ to: "Zoe", amount: 5 }, answer({ approve: false }, "accept", third.requestState)), 200, -32010, "policy_denied");
  refusedBy(await pay({ to: "Zoe", amount: 5 }, answer(undefined, "decline", third.requestState)), 200, -32010, "policy_denied");
  refusedBy(await pay({ to: "Zoe", amount: 500 }), 200, -32010, "policy_denied");
  refusedBy(await pay({ to: "Zoe", amount: 5 }, {}, CAROL, {}), 200, -32010, "policy_denied");
});

check("a definition that is not the approved one is not there", async () => {
  const listed = async () => (await send(ALICE, "tools/list")).json.result.tools.map((t) => t.name);
  assert.equal((await listed()).includes("fixture___morph"), true);
  await send(ALICE, "tools/call", tool("morph"));
  refusedBy(await send(ALICE, "tools/call", tool("morph")), 200, -32010, "changed_tool");
  assert.equal((await listed()).includes("fixture___morph"), false);
  refusedBy(await send(CAROL, "tools/call", { name: "fixture___nothing", arguments: {} }), 200, -32010, "unapproved_tool");
});

check("the official client, unmodified: lists, calls, questions, errors", async () => {
  const client = new Client({ name: "official", version: "1" }, { capabilities: { elicitation: {} } });
  client.setRequestHandler(ElicitRequestSchema, async () => ({ action: "accept", content: { username: "zoe", email: "z@example.com" } }));
  const transport = new StreamableHTTPClientTransport(new URL(BASE), { requestInit: { headers: key(ALICE) } });
  await client.connect(transport);
  const { tools } = await client.listTools();
  assert.equal(tools.some((t) => t.name === "fixture___test_elicitation"), true);
  const r = await client.callTool({ name: "fixture___test_elicitation", arguments: { message: "Who?" } });
  assert.match(r.content[0].text, /zoe/);
  await assert.rejects(client.callTool({ name: "fixture___test_image_content", arguments: {} }), (e) => e.code === -32010 && /may not call/.test(e.message));
  assert.match((await client.readResource({ uri: "test://static-text" })).contents[0].text, /static text/);
  await transport.terminateSession();
  await client.close();
});

check("several servers behind one endpoint: one list, each call to its own", async () => {
  const url = { url: BOTH }, names = [];
  let cursor;
  for (let page = 0; page < 9; page++) {
    const { result } = (await send(CAROL, "tools/list", cursor === undefined ? {} : { cursor }, url)).json;
    names.push(...result.tools.map((t) => t.name));
    cursor = result.nextCursor;
    if (cursor === undefined) break;
  }
  for (const server of ["fixture", "second"]) {
    assert.equal(names.filter((n) => n === `${server}___test_simple_text`).length, 1);
    assert.match((await send(CAROL, "tools/call", { name: `${server}___test_simple_text`, arguments: {} }, url)).text, /simple text/);
    assert.equal((await send(CAROL, "prompts/get", { name: `${server}___test_simple_prompt` }, url)).json.result.messages.length, 1);
  }
  for (const wrong of ["x", "7:", "-1:"]) refusedBy(await send(CAROL, "tools/list", { cursor: wrong }, url), 400, -32602, "bad_request");
  const about = (await send(CAROL, "server/discover", {}, url)).json.result;
  assert.deepEqual([about._meta["io.modelcontextprotocol/serverInfo"].name, about.supportedVersions, about.cacheScope], ["nakoso", [NEW], "private"]);
  const list = await send(CAROL, "resources/list", {}, url);
  assert.equal(list.json.result.resources[0].uri, "fixture+test://static-text");
  assert.equal((await send(CAROL, "resources/read", { uri: "second+test://static-text" }, url)).json.result.contents[0].uri, "second+test://static-text");
  refusedBy(await send(CAROL, "resources/read", { uri: "test://static-text" }, url), 400, -32602, "bad_request");
  refusedBy(await post(CAROL, JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list" }), {}, BOTH), 400, -32000, "bad_request");
});

check("a session belongs to the one who began it", async () => {
  const r = await post(ALICE, initialize());
  const id = r.headers["mcp-session-id"];
  assert.match(id, /^[\x21-\x7e]+$/);
  const session = { "mcp-session-id": id, "mcp-protocol-version": "2025-11-25" };
  assert.equal((await post(ALICE, JSON.stringify({ jsonrpc: "2.0", method: "notifications/initialized" }), session)).status, 202);
  const list = JSON.stringify({ jsonrpc: "2.0", id: 2, method: "tools/list" });
  const mine = await post(ALICE, list, session);
  assert.equal(mine.json.result.tools.length > 3, true);
  assert.equal(mine.headers["mcp-session-id"], id);
  refusedBy(await post(BOB, list, session), 404, -32001, "unknown_session");
  refusedBy(await post(ALICE, list, session, BARE), 404, -32001, "unknown_session");
  for (const other of [id.slice(0, -1), `${id}A`, id.replace(/^./, (c) => (c === "A" ? "B" : "A")), "x", ""])
    assert.equal((await post(ALICE, list, { ...session, "mcp-session-id": other })).status >= 400, true, other);
  assert.equal((await ask(BASE, "DELETE", { ...key(BOB), ...session })).status, 404);
  assert.equal((await ask(BASE, "DELETE", { ...key(ALICE), ...session })).status, 200);
  assert.equal((await post(ALICE, list, session)).status, 404, "over is over");
});

check("what is left of a stream that broke off is filtered as the whole would have been", async () => {
  const begun = await post(ALICE, initialize());
  const session = { "mcp-session-id": begun.headers["mcp-session-id"], "mcp-protocol-version": "2025-11-25" };
  const whole = await post(ALICE, JSON.stringify({ jsonrpc: "2.0", id: "list", method: "tools/list" }), session);
  const first = /^id: (.+)$/m.exec(whole.text)[1];
  const rest = (who, id) => new Promise((done, fail) => {
    const req = request(BASE, { headers: { ...key(who), accept: "text/event-stream", ...session, "last-event-id": id } }, (res) => {
      let text = "";
      res.on("error", () => {});
      res.on("data", (d) => { text += d; if (/^data: \{.*\}\n\n/m.test(text)) { done({ status: res.statusCode, text }); req.destroy(); } });
      res.on("end", () => done({ status: res.statusCode, text }));
    });
    req.on("error", fail).end();
  });
  const again = await rest(ALICE, first);
  const result = JSON.parse(/^data: (\{.*\})$/m.exec(again.text)[1]);
  assert.deepEqual(result, whole.json);
  assert.equal(result.result.tools.some((t) => t.name === "fixture___test_image_content"), false);
  assert.equal((await rest(BOB, first)).status, 404);
  for (const id of [`${first}A`, "x", first.replace(/.$/, (c) => (c === "A" ? "B" : "A"))])
    assert.equal((await rest(ALICE, id)).status, 400);
});

check("an event of a stream goes on at once, and leaving cancels", async () => {
  const body = JSON.stringify({ jsonrpc: "2.0", id: 7, method: "subscriptions/listen", params: { ...meta(), notifications: { toolsListChanged: true } } });
  const first = await new Promise((done, fail) => {
    const req = request(BASE, { method: "POST", headers: { ...key(ALICE), accept, "content-type": "application/json", "mcp-protocol-version": NEW, "mcp-method": "subscriptions/listen" } },
      (res) => res.once("data", (d) => { done([res.headers, String(d)]); req.destroy(); }));
    req.on("error", fail).end(body);
  });
  assert.equal(first[0]["x-accel-buffering"], "no");
  assert.match(first[1], /notifications\/subscriptions\/acknowledged/);

  const call = JSON.stringify({ jsonrpc: "2.0", id: 8, method: "tools/call", params: { ...tool("wait"), ...meta() } });
  const req = request(BASE, { method: "POST", headers: { ...key(ALICE), accept, "content-type": "application/json", "mcp-protocol-version": NEW, "mcp-method": "tools/call", "mcp-name": "fixture___wait" } });
  req.on("error", () => {}).end(call);
  const log = () => readFileSync(FIXTURE_LOG, "utf8");
  await until("the tool runs", () => log().includes("waits"));
  await sleep(50);
  const left = Date.now();
  req.destroy();
  await until("the tool hears of it", () => log().includes("left "));
  console.log(`# the server heard ${Number(/left (\d+)/.exec(log())[1]) - left} ms after the client had left`);
});

await run("mcp", "gateway");
