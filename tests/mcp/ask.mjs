// SPDX-License-Identifier: Apache-2.0
// ask.mjs FIRST - a person is asked while a call waits: clients with sessions, the official one and by their bytes. The
// environment: BASE (the endpoint; question_timeout is 2 s), CAROL and DAVE (keys of those who may pay), FIXTURE_LOG (what the
// server wrote). There are two workers, so an answer reaches the one that waits directly or by way of the other.
import assert from "node:assert/strict";
import { request } from "node:http";
import { connect } from "node:http2";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { ElicitRequestSchema } from "@modelcontextprotocol/sdk/types.js";
import { check, run, until } from "./tap.mjs";

const { BASE, CAROL, DAVE, FIXTURE_LOG } = process.env;
const accept = "application/json, text/event-stream";
const paid = (to) => (readFileSync(FIXTURE_LOG, "utf8").match(new RegExp(`^paid \\d+ to ${to}$`, "gm")) ?? []).length;

// A POST whose answer is read while it comes: { status, headers, events (so far), over (its end) }, when the head is there.
function post(key, message, headers = {}) {
  return new Promise((done, fail) => {
    const req = request(BASE, { method: "POST", agent: false, headers: { authorization: `Bearer ${key}`, accept, "content-type": "application/json", ...headers } }, (res) => {
      const r = { status: res.statusCode, headers: res.headers, text: "", events: [], leave: () => req.destroy() };
      const read = (d) => {
        r.text += d;
        r.events = [...r.text.matchAll(/^data: (\{.*)$/gm)].map((m) => JSON.parse(m[1]));
        try { r.events = [JSON.parse(r.text)]; } catch { /* a stream, or not all of it */ }
      };
      r.over = new Promise((end) => res.setEncoding("utf8").on("data", read).on("close", end).on("error", () => {}));
      done(r);
    });
    req.on("error", fail);
    req.end(typeof message === "string" ? message : JSON.stringify(message));
  });
}
async function session(key, capabilities = { elicitation: {} }, protocolVersion = "2025-11-25") {
  const r = await post(key, { jsonrpc: "2.0", id: 1, method: "initialize", params: { protocolVersion, capabilities, clientInfo: { name: "t", version: "1" } } });
  await r.over;
  return { "mcp-session-id": r.headers["mcp-session-id"], "mcp-protocol-version": protocolVersion };
}
const pay = (to, amount = 5) => ({ jsonrpc: "2.0", id: `pay ${to}`, method: "tools/call", params: { name: "fixture___pay", arguments: { to, amount } } });
async function asked(key, own, to, amount) {
  const r = await post(key, pay(to, amount), own);
  await until("the question", () => r.events.length);
  r.question = r.events[0];
  return r;
}
const answer = (id, result = { action: "accept", content: { approve: true } }) => ({ jsonrpc: "2.0", id, result });
const say = async (key, own, message) => { const r = await post(key, message, own); await r.over; return r; };
const last = (r) => r.events.at(-1);
const refused = (r) => assert.equal(last(r).error?.code, -32010, r.text);

check("accept, decline, cancel: the official client", async () => {
  let said, seen;
  const client = new Client({ name: "official", version: "1" }, { capabilities: { elicitation: {} } });
  client.setRequestHandler(ElicitRequestSchema, async (q) => { seen = q.params; return said; });
  await client.connect(new StreamableHTTPClientTransport(new URL(BASE), { requestInit: { headers: { authorization: `Bearer ${CAROL}` } } }));
  const call = (to) => client.callTool({ name: "fixture___pay", arguments: { to, amount: 5 } });
  said = { action: "accept", content: { approve: true } };
  for (let i = 0; i < 8; i++) assert.match((await call("Official")).content[0].text, /Paid 5 to Official/);
  assert.match(seen.message, /^A person has to agree before User::"carol" calls the tool fixture___pay with these arguments \(policy money\.confirmed\)\.\nfixture___pay \{"to":"Official","amount":5\}$/);
  assert.deepEqual([seen.mode, seen.requestedSchema.required], ["form", ["approve"]]);
  for (said of [{ action: "accept", content: { approve: false } }, { action: "decline" }, { action: "cancel" }])
    await assert.rejects(call("Nobody"), (e) => e.code === -32010 && /It was not agreed to/.test(e.message));
  assert.deepEqual([paid("Official"), paid("Nobody")], [8, 0]);
  await client.close();
});

check("the question and the result are one stream, and the answer is taken with 202", async () => {
  const own = await session(CAROL);
  const r = await asked(CAROL, own, "Ann");
  assert.deepEqual([r.status, r.headers["content-type"], r.headers["x-accel-buffering"]], [200, "text/event-stream", "no"]);
  assert.equal(r.question.method, "elicitation/create");
  assert.equal((await say(CAROL, own, answer(r.question.id))).status, 202);
  await r.over;
  assert.equal(r.events.length, 2);
  assert.deepEqual([last(r).id, last(r).result.content[0].text], ["pay Ann", "Paid 5 to Ann."]);
  assert.equal((await say(CAROL, own, answer(r.question.id))).status, 202, "a second time it is taken");
  await sleep(100);
  assert.equal(paid("Ann"), 1, "and nothing happens");
});

check("the answer may come to the worker that asked, or to the other", async () => {
  const own = await session(CAROL), gate = (r) => r.headers["x-request-id"].split("-")[0], seen = new Set();
  for (let i = 0; i < 60 && seen.size < 2; i++) {
    const r = await asked(CAROL, own, "Abe");
    const taken = await say(CAROL, own, answer(r.question.id));
    await r.over;
    assert.match(last(r).result.content[0].text, /Paid 5 to Abe/);
    seen.add(gate(r) === gate(taken) ? "the same" : "the other");
  }
  assert.equal(seen.size, 2);
});

check("forged, foreign and odd answers change nothing", async () => {
  const own = await session(CAROL), other = await session(CAROL), daves = await session(DAVE);
  const r = await asked(CAROL, own, "Bea");
  const { id } = r.question;
  const wrong = [`${id}A`, id.slice(0, -1), "nakoso.", "nakoso.AAAA", id.replace(/\.(.)/, (_, c) => (c === "A" ? ".B" : ".A"))];
  for (const forged of wrong) assert.equal((await say(CAROL, own, answer(forged))).status, 400, forged);
  assert.equal((await say(CAROL, other, answer(id))).status, 400, "another session of the same person");
  assert.equal((await say(DAVE, daves, answer(id))).status, 400, "somebody else");
  assert.equal((await say(DAVE, own, answer(id))).status, 404, "somebody else in this session");
  assert.equal((await say(CAROL, {}, answer(id))).status, 400, "without a session");
  assert.equal((await say(CAROL, own, `[${JSON.stringify(answer(id))}]`)).status, 400);
  assert.equal((await say(CAROL, own, `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":{},"result":{"action":"accept","content":{"approve":true}}}`)).status, 400);
  assert.equal((await say(CAROL, own, answer(id, { action: "accept", content: { approve: true }, x: "y".repeat(70000) }))).status, 413);
  await sleep(100);
  assert.deepEqual([r.events.length, paid("Bea")], [1, 0]);
  const again = await asked(CAROL, own, "Bea");
  assert.notEqual(again.question.id, id);
  assert.equal((await say(CAROL, own, answer(again.question.id))).status, 202);
  await again.over;
  assert.equal(paid("Bea"), 1, "each question is for its own call");
  r.leave();
});

check("only a plain yes is one", async () => {
  const own = await session(CAROL);
  const results = [{}, { action: "accept" }, { action: "accept", content: {} }, { action: "accept", content: { approve: "true" } },
    { action: "accept", content: [{ approve: true }] }, { action: "Accept", content: { approve: true } }, { action: "decline", content: { approve: true } }, [], "accept", true];
  await Promise.all(results.slice(0, 6).map(async (result) => {
    const r = await asked(CAROL, own, "Cid");
    await say(CAROL, own, answer(r.question.id, result));
    await r.over;
    refused(r);
  }));
  for (const message of [...results.slice(6).map((result) => ({ result })), { error: { code: -1, message: "no" } }]) {
    const r = await asked(CAROL, own, "Cid");
    const taken = await say(CAROL, own, { jsonrpc: "2.0", id: r.question.id, ...message });
    if (taken.status === 202) { await r.over; refused(r); } else r.leave();
  }
  assert.equal(paid("Cid"), 0);
});

check("nobody answers: the call is refused, the question withdrawn, a late answer nothing", async () => {
  const own = await session(CAROL);
  const r = await asked(CAROL, own, "Dan");
  await r.over;
  assert.deepEqual([r.events[1].method, r.events[1].params.requestId], ["notifications/cancelled", r.question.id]);
  refused(r);
  assert.match(last(r).error.message, /Nobody answered in time/);
  assert.equal((await say(CAROL, own, answer(r.question.id))).status, 202);
  await sleep(100);
  assert.equal(paid("Dan"), 0);
});

check("who leaves waits no longer, and a person may have eight questions open", async () => {
  const own = await session(DAVE), open = [];
  for (let i = 0; i < 16; i++) {
    const r = await asked(DAVE, own, "Eve");
    if (r.question.error) { refused(r); await r.over; } else open.push(r);
  }
  assert.equal(open.length >= 8 && open.length <= 16, true, `${open.length} wait`);
  const left = open.map((r) => r.question.id);
  for (const r of open) { r.leave(); await r.over; }
  await sleep(100);
  for (const id of left) await say(DAVE, own, answer(id));
  const more = await asked(DAVE, own, "Eve");
  assert.equal(more.question.method, "elicitation/create");
  await say(DAVE, own, answer(more.question.id, { action: "decline" }));
  await more.over;
  assert.equal(paid("Eve"), 0);
});

check("clients that cannot be asked are refused", async () => {
  for (const capabilities of [{}, { sampling: {} }, { elicitation: { url: {} } }])
    refused(await asked(CAROL, await session(CAROL, capabilities), "Fay"));
  const own = await session(CAROL, { elicitation: { form: {} } });
  refused(await asked(CAROL, { ...own, accept: "application/json" }, "Fay"));
  const old = await asked(CAROL, await session(CAROL, { elicitation: {} }, "2025-06-18"), "Fay", 7);
  assert.equal(old.question.params.mode, undefined, "that revision has no modes");
  old.leave();
  refused(await asked(CAROL, own, "Fay", 500));
  assert.equal(paid("Fay"), 0);
});

check("the same over HTTP/2, both requests on one connection", async () => {
  const own = await session(CAROL);
  const h2 = connect(BASE);
  const send = (message) => {
    const s = h2.request({ ":method": "POST", ":path": "/mcp", authorization: `Bearer ${CAROL}`, accept, "content-type": "application/json", ...own });
    s.text = "";
    s.setEncoding("utf8").on("data", (d) => { s.text += d; });
    s.over = new Promise((end) => s.on("close", end));
    s.end(JSON.stringify(message));
    return s;
  };
  const call = send(pay("Gus"));
  await until("the question", () => call.text.includes("\n\n"));
  const { id } = JSON.parse(/^data: (.*)$/m.exec(call.text)[1]);
  await send(answer(id)).over;
  await call.over;
  assert.match(call.text, /Paid 5 to Gus\./);
  h2.close();
  assert.equal(paid("Gus"), 1);
});

await run("mcp", "ask");
