// SPDX-License-Identifier: Apache-2.0
// questions.mjs FIRST - what a server with sessions (old.mjs) asks in the middle of a call, for clients of 2026-07-28, which have none: the
// official one, and by their bytes. The environment: OLD (the endpoint; question_timeout is 2 s), CAROL and DAVE (keys; of Dave a server
// may only ask for roots), FIXTURE_LOG (what the server wrote). There are two workers, so an answer reaches the one where the call is parked directly or by way of
// the other.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { request } from "node:http";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { check, run, until } from "./tap.mjs";

const { OLD, CAROL, DAVE, FIXTURE_LOG } = process.env;
const all = { elicitation: { form: {} }, sampling: {}, roots: {} };
const said = (what) => (readFileSync(FIXTURE_LOG, "utf8").match(new RegExp(`^${what}$`, "gm")) ?? []).length;

async function official(key, capabilities, use) {
  const client = new Client({ name: "new-client", version: "1" }, { capabilities, versionNegotiation: { mode: { pin: "2026-07-28" } } });
  const asked = [], answer = (method, result) => { asked.push(method); return result; };
  if (capabilities.elicitation) client.setRequestHandler("elicitation/create", ({ params }) => answer(params.message, { action: "accept", content: { name: "Jo" } }));
  if (capabilities.sampling) client.setRequestHandler("sampling/createMessage", ({ params }) => answer(params.messages[0].content.text, { model: "m", role: "assistant", content: { type: "text", text: "Paris" } }));
  if (capabilities.roots) client.setRequestHandler("roots/list", () => answer("roots", { roots: [{ uri: "file:///a" }] }));
  await client.connect(new StreamableHTTPClientTransport(new URL(OLD), { requestInit: { headers: { authorization: `Bearer ${key}` } } }));
  await use(client, asked).finally(() => client.close());
}

// On a connection of its own, which either worker may take.
const post = (options, body) => new Promise((done, fail) => {
  const req = request(OLD, { method: "POST", agent: false, ...options }, (res) => {
    let text = "";
    res.setEncoding("utf8").on("data", (d) => { text += d; }).on("end", () => done([res, text])).on("error", fail);
  });
  req.on("error", fail).end(body);
});
let ids = 0;
// One request by its bytes: { status, gate, message (the last one) }.
async function send(name, rest = {}, { key = CAROL, args = {}, can = all, signal } = {}) {
  const _meta = { "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": can };
  const id = `t ${++ids}`;
  const [res, text] = await post({
    signal, headers: { authorization: `Bearer ${key}`, accept: "application/json, text/event-stream", "content-type": "application/json", "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": name },
  }, JSON.stringify({ jsonrpc: "2.0", id, method: "tools/call", params: { name, arguments: args, ...rest, _meta } }));
  const events = [...text.matchAll(/^data: (\{.*)$/gm)].map((m) => JSON.parse(m[1]));
  const message = events.at(-1) ?? JSON.parse(text);
  assert.equal(message.id, id, text);
  return { status: res.statusCode, gate: res.headers["x-request-id"].split("-")[0], message };
}
const answer = (r, result = { action: "accept", content: { name: "Ann" } }) => ({ requestState: r.message.result.requestState, inputResponses: { nakoso_question: result } });
const ask = { args: { message: "Who?" } };
const refused = (r, pattern) => assert.match(r.message.error?.message ?? JSON.stringify(r.message), pattern);

check("the official client is asked for all that can be asked, and gets the result", () => official(CAROL, all, async (client, asked) => {
  const steps = [];
  const onprogress = (p) => p.total && steps.push(p.progress); // it counts its own rounds as well, without a total
  const r = await client.callTool({ name: "old___many", arguments: {} }, { onprogress });
  assert.deepEqual(steps, [1, 2, 3], "each of the calls is told how far it is");
  assert.deepEqual(asked.sort(), ["The capital?", "Who?", "roots"]);
  assert.equal(r.content[0].text, "Jo file:///a Paris");
  assert.equal(r.content[1].text.length, 200000, "in pieces, where it is parked in another worker");
  assert.equal((await client.getPrompt({ name: "old___asks", arguments: {} })).messages[0].content.text, "For Jo.");
}));

check("the question is a result like any other of this revision", async () => {
  const r = await send("old___ask", {}, ask);
  const { resultType, inputRequests, requestState } = r.message.result;
  assert.equal(resultType, "input_required");
  assert.deepEqual(Object.keys(inputRequests), ["nakoso_question"]);
  assert.equal(inputRequests.nakoso_question.method, "elicitation/create");
  assert.equal(inputRequests.nakoso_question.params.message, "Who?");
  assert.equal(inputRequests.nakoso_question.params._meta, undefined);
  assert.match(requestState, /^[\w-]+$/);
  assert.equal((await send("old___ask", answer(r), ask)).message.result.content[0].text, "Who?: Ann");
});

check("the answer may come to the worker where the call is parked, or to the other", async () => {
  const seen = new Set();
  for (let i = 0; i < 80 && seen.size < 2; i++) {
    const r = await send("old___ask", {}, ask), again = await send("old___ask", answer(r), ask);
    assert.equal(again.message.result?.content[0].text, "Who?: Ann", JSON.stringify(again.message));
    seen.add(r.gate === again.gate ? "the same" : "the other");
  }
  assert.equal(seen.size, 2);
});

check("a state is for one principal, tool and arguments, and good once", async () => {
  const r = await send("old___wait"), before = said("answered wait accept"), none = /answers no open question/;
  const { requestState } = answer(r);
  refused(await send("old___wait", answer(r), { key: DAVE }), none);
  refused(await send("old___add", answer(r), { args: { a: 1, b: 2 } }), none);
  refused(await send("old___wait", answer(r), { args: { more: 1 } }), /answers no open question|arguments/);
  for (const bad of [`${requestState}A`, requestState.slice(0, -2), "", "AAAA"]) refused(await send("old___wait", { ...answer(r), requestState: bad }), none);
  refused(await send("old___wait", { requestState }), /has no answer/);
  refused(await send("old___wait", { requestState, inputResponses: { nakoso_question: "yes" } }), /has no answer/);
  assert.equal(said("answered wait accept"), before, "the server has heard nothing");
  const both = await Promise.all([send("old___wait", answer(r)), send("old___wait", answer(r))]);
  assert.equal(both.filter((x) => x.message.result?.content[0].text === "accept").length, 1, JSON.stringify(both));
  refused(both.find((x) => x.message.error), none);
  refused(await send("old___wait", answer(r)), none);
  assert.equal(said("answered wait accept"), before + 1);
});

check("a server is told, and may ask, what the client can and policies permit", async () => {
  const can = async (declared, key) => JSON.parse((await send("old___can", {}, { can: declared, key })).message.result.content[0].text);
  assert.deepEqual(await can(all), { elicitation: { form: {} }, sampling: {}, roots: {} });
  assert.deepEqual(await can({ elicitation: { url: {} } }), {}, "forms alone");
  assert.deepEqual(await can({}), {});
  assert.deepEqual(await can(all, DAVE), { roots: {} });
  await assert.rejects(send("old___ask", {}, { ...ask, key: DAVE }), "what it asks all the same ends the call");
});

check("nobody comes back: the server is told, and a late answer finds nothing", async () => {
  const r = await send("old___wait"), before = said("cancelled wait");
  await until("the call is cancelled at the server", () => said("cancelled wait") > before);
  refused(await send("old___wait", answer(r)), /answers no open question|not answered/);
});

check("who brings an answer and leaves takes the call along", async () => {
  const r = await send("old___many"), leaves = new AbortController();
  const next = await send("old___many", answer(r));
  assert.equal(next.message.result.inputRequests.nakoso_question.method, "roots/list", "the next question");
  const gone = send("old___many", answer(next, { roots: [{ uri: "file:///b" }] }), { signal: leaves.signal }).catch(() => "left");
  leaves.abort();
  await gone;
});

check("a principal has eight calls parked in a worker, and no more", async () => {
  const open = await Promise.all(Array.from({ length: 20 }, () => send("old___wait")));
  const asked = open.filter((r) => r.message.result?.resultType === "input_required");
  assert.equal(asked.length >= 8 && asked.length <= 16, true, `${asked.length}`);
  for (const r of open.filter((x) => !asked.includes(x))) refused(r, /not answered/);
  const done = await Promise.all(asked.map((r) => send("old___wait", answer(r, { action: "decline" }))));
  assert.deepEqual([...new Set(done.map((r) => r.message.result?.content[0].text))], ["decline"], JSON.stringify(done.map((d) => d.message)));
  assert.equal((await send("old___wait")).message.result.resultType, "input_required", "then there is room again");
});

await run("mcp", "questions");
