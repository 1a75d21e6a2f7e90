// SPDX-License-Identifier: Apache-2.0
// closed.mjs FIRST - whatever fails, a tool with effects is not called: each check counts what rug.mjs did. The environment: BASE, RUG, ALICE and BOB
// (keys), TOKEN (of an issuer whose key set cannot be fetched), NAKOSO, HOUSE (its directory), DAEMON (its process).
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync, rmSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { check, run, until } from "./tap.mjs";

const { BASE, RUG, ALICE, BOB, TOKEN, NAKOSO, HOUSE, DAEMON } = process.env;
const NEW = "2026-07-28", OLD = "2025-11-25";
const modern = { "mcp-protocol-version": NEW, "mcp-method": "tools/call", "mcp-name": "rug___pay" };
async function send(who, body, headers = modern, url = BASE) {
  const res = await fetch(url, { method: "POST", body, headers: { authorization: `Bearer ${who}`, "content-type": "application/json",
    accept: "application/json, text/event-stream", ...headers } });
  const text = await res.text();
  return { status: res.status, text, json: text.startsWith("{") ? JSON.parse(text) : undefined, refused: res.headers.get("x-nakoso-refused"),
    session: res.headers.get("mcp-session-id") };
}
const meta = { "io.modelcontextprotocol/protocolVersion": NEW, "io.modelcontextprotocol/clientCapabilities": { elicitation: {} } };
const call = (args, rest = {}) => JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "rug___pay", arguments: args, ...rest, _meta: meta } });
const good = { to: "x", amount: 5 };
const be = async (is) => { await fetch(`${RUG}/is`, { method: "POST", body: JSON.stringify({ is }) }); };
const effects = async () => (await (await fetch(`${RUG}/is`)).json()).effects;
// Nothing is done, and then the same call is good again: it was this that stopped it.
async function closed(name, body, { recovers = true } = {}) {
  await be("same");
  await body();
  assert.equal(await effects(), 0, name);
  if (!recovers) return;
  assert.equal((await send(ALICE, call(good))).json.result.content[0].text, "Paid 5.");
  assert.equal(await effects(), 1);
}
const closedBy = (r, id) => assert.equal(r.refused, id, r.text);
const reload = () => spawnSync(NAKOSO, ["reload", "-c", `${HOUSE}/nakoso.yaml`], { encoding: "utf8" });

check("who is not known, and whose issuer cannot be asked for its keys", () => closed("identity", async () => {
  closedBy(await send("nobody-at-all", call(good)), "bad_credential");
  closedBy(await send(TOKEN, call(good)), "keys_not_ready");
}));

check("what is too large, too deep, or can be read in two ways", () => closed("parse", async () => {
  const double = call(good).replace('"amount":5', '"amount":5,"amount":6');
  closedBy(await send(ALICE, double), "bad_json");
  closedBy(await send(ALICE, call(good).replace('"name":', '"name":"rug___patient","name":')), "bad_json");
  closedBy(await send(ALICE, call(good).replace('"name":', '"Name":"rug___patient","name":')), "bad_request");
  closedBy(await send(ALICE, call(good).replace('"params":', '"param\\u0073":{},"params":')), "bad_json");
  closedBy(await send(ALICE, `[${call(good)}]`), "bad_request");
  closedBy(await send(ALICE, call(good).slice(0, -1)), "bad_json");
  closedBy(await send(ALICE, call({ ...good, to: "x".repeat(2 << 20) })), "too_large");
  closedBy(await send(ALICE, call({ ...good, to: "x".repeat(100 << 10) })), "bad_arguments");
  closedBy(await send(ALICE, call(good).replace('"x"', `${"[".repeat(100)}${"]".repeat(100)}`)), "too_large");
  closedBy(await send(ALICE, call(good), { ...modern, "mcp-name": "rug___patient" }), "bad_request");
}));

check("arguments that the schema does not take", () => closed("schema", async () => {
  for (const args of [{}, { to: "x" }, { to: 7, amount: 5 }, { to: "x", amount: "5" }, { to: "x", amount: 5.5 }, { to: "x", amount: null }, { to: "x", amount: 1e30 }])
    closedBy(await send(ALICE, call(args)), "bad_arguments");
  closedBy(await send(ALICE, call([])), "bad_request");
}));

check("a session that is somebody else's, forged, or over", () => closed("session", async () => {
  const old = { "mcp-protocol-version": OLD };
  const say = (who, message, headers, url) => send(who, JSON.stringify({ jsonrpc: "2.0", ...message }), { ...old, ...headers }, url);
  const hello = { id: 0, method: "initialize", params: { protocolVersion: OLD, capabilities: {}, clientInfo: { name: "t", version: "1" } } };
  const { session } = await say(ALICE, hello), brief = BASE.replace("/mcp", "/brief"), { session: short } = await say(ALICE, hello, {}, brief);
  const pay = { id: 1, method: "tools/call", params: { name: "rug___pay", arguments: good } };
  const turned = session.slice(0, 9) + (session[9] === "A" ? "B" : "A") + session.slice(10);
  for (const [who, id] of [[BOB, session], [ALICE, turned], [ALICE, session.slice(0, -2)], [ALICE, "x"], [ALICE, `${session}${session}`]])
    closedBy(await say(who, pay, { "mcp-session-id": id }), "unknown_session");
  closedBy(await say(ALICE, pay, { "mcp-session-id": session }, brief), "unknown_session"); // another endpoint's
  await sleep(1100);
  closedBy(await say(ALICE, pay, { "mcp-session-id": short }, brief), "unknown_session"); // its time is over
  assert.equal(await effects(), 0);
  assert.equal((await say(ALICE, pay, { "mcp-session-id": session })).json.result.content[0].text, "Paid 5.");
  await be("same");
  await be("no session");
  closedBy(await say(ALICE, pay, { "mcp-session-id": session }), "unknown_session");
  assert.equal(await effects(), 0);
  await be("same");
}));

check("a tool that changes, and a server that falls silent, while a person is asked", () => closed("asked", async () => {
  const own = { "mcp-protocol-version": OLD };
  const say = (message) => fetch(BASE, { method: "POST", body: JSON.stringify({ jsonrpc: "2.0", ...message }), headers: { authorization: `Bearer ${ALICE}`,
    "content-type": "application/json", accept: "application/json, text/event-stream", ...own } });
  const hello = await say({ id: 0, method: "initialize", params: { protocolVersion: OLD, capabilities: { elicitation: {} }, clientInfo: { name: "t", version: "1" } } });
  own["mcp-session-id"] = hello.headers.get("mcp-session-id");
  for (const [is, reason] of [["changed", "changed_tool"], ["500", "unverified_tool"], ["pages_twice", "changed_tool"]]) {
    const stream = (await say({ id: 1, method: "tools/call", params: { name: "rug___pay", arguments: { to: "x", amount: 700 } } })).body.getReader();
    let text = "";
    const more = async () => { const { done, value } = await stream.read(); text += Buffer.from(value ?? ""); return !done; };
    while (!text.includes("\n\n")) await more();
    const { id } = JSON.parse(text.split("data: ")[1].split("\n")[0]);
    await be(is);
    assert.equal((await say({ id, result: { action: "accept", content: { approve: true } } })).status, 202);
    while (await more());
    const { error, id: of } = JSON.parse(text.trim().split("data: ").at(-1));
    assert.deepEqual([of, error.code, error.data.reason], [1, -32010, reason]);
    assert.equal(await effects(), 0);
  }
  await be("same");
}));

check("a reload with a policy or a file of tools that is wrong changes nothing", () => closed("reload", async () => {
  const tools = readFileSync(`${HOUSE}/tools.json`, "utf8"), all = '@id("all") permit (principal, action, resource);';
  for (const [name, broken, says, whole] of [["policies/more.cedar", `${all}\npermit (principal`, /more.cedar: line 2/],
    ["policies/more.cedar", `${all}\n@id("x") @decision("never") forbid (principal, action, resource);`, /more.cedar|decision/],
    ["tools.json", tools.replace('"Pays."', '"Pays!"'), /sha256/, tools], ["tools.json", tools.slice(0, -9), /without end/, tools]]) {
    writeFileSync(`${HOUSE}/${name}`, broken);
    const { status, stderr } = reload();
    assert.notEqual(status, 0, "the reload is refused");
    assert.match(stderr, says);
    closedBy(await send(BOB, call(good)), "policy_denied");
    closedBy(await send(ALICE, call({ ...good, amount: 5000 })), "policy_denied");
    if (whole) writeFileSync(`${HOUSE}/${name}`, whole);
    else rmSync(`${HOUSE}/${name}`);
  }
  const { status, stderr } = reload();
  assert.equal(status, 0, stderr);
}));

check("the store of used approvals is full", () => closed("approvals", async () => {
  const big = { to: "x", amount: 700 };
  const agree = (requestState) => call(big, { requestState, inputResponses: { nakoso_approval: { action: "accept", content: { approve: true } } } });
  const asked = async () => {
    const { json } = await send(ALICE, call(big));
    assert.equal(json.result?.resultType, "input_required", JSON.stringify(json));
    return json.result.requestState;
  };
  await be("changed"); // each agreement is used, and nothing comes of it
  for (let full = 0; full < 1024;) // as long as now and then one still finds room
    await Promise.all(Array.from({ length: 16 }, async () => {
      const r = await send(ALICE, agree(await asked()));
      if (r.json.result?.resultType === "input_required") return full++;
      full = 0;
      closedBy(r, "changed_tool");
    }));
  await be("same");
  for (let i = 0; i < 3; i++)
    assert.equal((await send(ALICE, agree(await asked()))).json.result.resultType, "input_required", "it is asked anew");
}));

check("nobody writes the log: what is recorded no more is not done", async () => {
  const scribe = execFileSync("sh", ["-c", `for p in $(cat /proc/${DAEMON}/task/*/children); do tr '\\0' ' ' </proc/$p/cmdline | grep -q -- '--role scribe' && echo $p; done; true`], { encoding: "utf8" });
  await closed("scribe", async () => {
    process.kill(Number(scribe), "SIGSTOP");
    try {
      let r;
      for (let i = 0; i < 40000 && r?.refused !== "audit_unavailable"; i += 32) // refusals are records as well
        r = (await Promise.all(Array.from({ length: 32 }, () => send(BOB, call({ ...good, to: "x".repeat(30000) }))))).at(-1);
      for (let i = 0; i < 50; i++) closedBy(await send(ALICE, call(good)), "audit_unavailable");
    } finally {
      process.kill(Number(scribe), "SIGCONT");
    }
    await until("it serves again", async () => (await send(BOB, call(good))).refused === "policy_denied");
  });
});

await run("mcp", "fails closed");
