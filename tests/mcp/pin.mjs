// SPDX-License-Identifier: Apache-2.0
// pin.mjs FIRST - a tool that is not what was approved any more is not called, whatever the server does to its list between what a
// client has seen and the call. The environment: BASE (each call is checked), KEPT (tools_ttl), OPEN (unapproved: decide), RUG (rug.mjs
// itself), KEY.
import assert from "node:assert/strict";
import { check, run } from "./tap.mjs";

const { BASE, KEPT, OPEN, RUG, KEY } = process.env;
const NEW = "2026-07-28", OLD = ["2025-03-26", "2025-06-18", "2025-11-25"];

async function post(url, message, headers) {
  const res = await fetch(url, { method: "POST", body: JSON.stringify(message), headers: {
    authorization: `Bearer ${KEY}`, "content-type": "application/json", accept: "application/json, text/event-stream", ...headers } });
  const text = await res.text(), data = text.split("\n").filter((l) => l.startsWith("data: {")).at(-1);
  const json = text.startsWith("{") ? JSON.parse(text) : data && JSON.parse(data.slice(6));
  return { status: res.status, json, refused: res.headers.get("x-nakoso-refused"), session: res.headers.get("mcp-session-id") };
}
// A client of one revision: asks for a method.
async function connect(revision, url = BASE) {
  let id = 0;
  if (revision === NEW)
    return (method, params = {}) => post(url, { jsonrpc: "2.0", id: ++id, method, params: { ...params, _meta: {
      "io.modelcontextprotocol/protocolVersion": NEW, "io.modelcontextprotocol/clientCapabilities": {} } } },
    { "mcp-protocol-version": NEW, "mcp-method": method, ...params.name && { "mcp-name": params.name } });
  const { session } = await post(url, { jsonrpc: "2.0", id: 0, method: "initialize",
    params: { protocolVersion: revision, capabilities: {}, clientInfo: { name: "t", version: "1" } } });
  return (method, params = {}) => post(url, { jsonrpc: "2.0", id: ++id, method, params },
    { "mcp-session-id": session, ...revision !== OLD[0] && { "mcp-protocol-version": revision } });
}
const be = async (is, stream) => (await fetch(`${RUG}/is`, { method: "POST", body: JSON.stringify({ is, stream }) })).json();
const counts = async () => (await fetch(`${RUG}/is`)).json();
const pay = (ask, name = "rug___pay") => ask("tools/call", { name, arguments: { to: "x", amount: 5 } });
const paid = (r) => assert.equal(r.json?.result?.content?.[0]?.text, "Paid 5.", JSON.stringify(r));
function refusedBy(r, id, { status = 200, code = -32010 } = {}) {
  assert.deepEqual([r.refused, r.status, r.json?.error?.code], [id, status, code], JSON.stringify(r));
  assert.equal(typeof r.json.id, "number", "it answers the call");
}

for (const revision of [...OLD, NEW])
  for (const stream of [false, true])
    check(`${revision}${stream ? ", streams" : ""}: changed between list and call, 100 times; 100 calls are blocked`, async () => {
      const ask = await connect(revision);
      await be("flip", stream);
      for (let i = 0; i < 100; i++) {
        const { json } = await ask("tools/list");
        assert.deepEqual(json.result.tools.map((t) => [t.name, t.description])[0], ["rug___pay", "Pays."]);
        refusedBy(await pay(ask), "changed_tool");
      }
      assert.deepEqual(await counts(), { effects: 0, lists: 200 });
      await be("same", stream);
      paid(await pay(ask));
      assert.deepEqual(await counts(), { effects: 1, lists: 1 });
    });

for (const revision of [OLD[2], NEW])
  check(`${revision}: whatever is not that very definition, once`, async () => {
    const ask = await connect(revision);
    for (const stream of [false, true]) {
      for (const is of ["changed", "schema", "titled", "renamed", "twice", "gone", "none", "pages_changed", "pages_twice"]) {
        await be(is, stream);
        refusedBy(await pay(ask), "changed_tool");
        assert.equal((await counts()).effects, 0, is);
      }
      for (const is of ["same", "pages", "escaped", "twin"]) {
        await be(is, stream);
        paid(await pay(ask));
        assert.equal((await counts()).lists, is === "pages" ? 3 : 1, is);
      }
    }
  });

for (const revision of [OLD[2], NEW])
  check(`${revision}: no list, no call`, async () => {
    const ask = await connect(revision);
    const whole = ["500", "401", "moved", "html", "packed", "not JSON", "empty", "error", "silent", "dead", "endless", "cursor", "no list", "large", "another id", "double"];
    for (const [is, stream] of [...whole.map((is) => [is, false]), ...["asks", "cut", "endless", "large", "another id", "double"].map((is) => [is, true])]) {
      await be(is, stream);
      refusedBy(await pay(ask), "unverified_tool");
      assert.equal((await counts()).effects, 0, is);
    }
    await be("no session");
    if (revision === NEW) refusedBy(await pay(ask), "unverified_tool");
    else refusedBy(await pay(ask), "unknown_session", { status: 404, code: -32001 });
    assert.equal((await counts()).effects, 0);
  });

check("tools_ttl: what was seen is good for this server, session and tool", async () => {
  const one = await connect(NEW, KEPT), two = await connect(OLD[2], KEPT), three = await connect(OLD[2], KEPT);
  await be("same");
  for (let i = 0; i < 3; i++) paid(await pay(one));
  assert.deepEqual(await counts(), { effects: 3, lists: 1 });
  for (const ask of [two, two, three, three]) paid(await pay(ask));
  assert.deepEqual(await counts(), { effects: 7, lists: 3 });
  await one("tools/call", { name: "rug___patient", arguments: { id: 1 } });
  assert.deepEqual(await counts(), { effects: 7, lists: 4 });
  await be("changed");
  for (const name of ["rug___patient", "rug___pay"]) refusedBy(await pay(await connect(OLD[2], KEPT)), "changed_tool", name);
  assert.deepEqual(await counts(), { effects: 0, lists: 2 });
});

check("what nobody approved is compared with nothing, what somebody did is compared everywhere", async () => {
  const ask = await connect(NEW, OPEN);
  await be("same");
  paid(await pay(ask, "rug___unknown"));
  assert.deepEqual(await counts(), { effects: 1, lists: 0 });
  await be("changed");
  refusedBy(await pay(ask), "changed_tool");
});

check("a list shows what was approved, and where policies decide alone nothing that a person would have to look at", async () => {
  const names = async (url) => (await (await connect(NEW, url))("tools/list")).json.result.tools.map((t) => t.name.replace("rug___", ""));
  for (const stream of [false, true]) {
    await be("strange", stream);
    assert.deepEqual(await names(BASE), ["pay", "patient"]);
    assert.deepEqual(await names(OPEN), ["pay", "patient", "sick", "weather"]);
    await be("twice", stream);
    for (const url of [BASE, OPEN]) assert.deepEqual(await names(url), ["patient"]);
    await be("changed", stream);
    for (const url of [BASE, OPEN]) assert.deepEqual(await names(url), ["patient"]);
  }
});

check("what policy refuses asks the server nothing", async () => {
  const ask = await connect(NEW);
  await be("same");
  refusedBy(await ask("tools/call", { name: "rug___pay", arguments: { to: "x", amount: 5000 } }), "policy_denied");
  assert.deepEqual(await counts(), { effects: 0, lists: 0 });
});

await run("mcp", "changed definitions");
