// SPDX-License-Identifier: Apache-2.0
// client.mjs - the official SDK's clients of A2A 1.0 and 0.3 before Nakoso, with an agent (agent.mjs) on the same SDK behind it.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { ClientFactory, DefaultAgentCardResolver, JsonRpcTransportFactory } from "@a2a-js/sdk/client";
import { LegacyJsonRpcTransport } from "@a2a-js/sdk/compat/v0_3/client";
import { Role, TaskState } from "@a2a-js/sdk";
import { check, run, until } from "./tap.mjs";

const { BASE, TOLD, ALICE, DOCTOR, BOB, LOG } = process.env;
const lines = () => readFileSync(LOG, "utf8").split("\n").filter(Boolean).map((l) => JSON.parse(l));
const fetchAs = (key) => (url, init = {}) => fetch(url, { ...init, headers: { ...Object.fromEntries(new Headers(init.headers)), authorization: `Bearer ${key}` } });
const clientOf = (key, base = BASE) => new ClientFactory({
  transports: [new JsonRpcTransportFactory({ fetchImpl: fetchAs(key) })],
  cardResolver: new DefaultAgentCardResolver({ fetchImpl: fetchAs(key) }),
}).createFromUrl(`${base}/`);
const oldClient = (key) => new LegacyJsonRpcTransport({ endpoint: BASE, fetchImpl: fetchAs(key) });
let number = 0;
const said = (text, more = {}) => ({
  messageId: `c${++number}`, contextId: "", taskId: "", role: Role.ROLE_USER, extensions: [], referenceTaskIds: [], metadata: undefined,
  parts: [{ content: { $case: "text", value: text }, metadata: undefined, filename: "", mediaType: "" }], ...more,
});
const send = (text, more, configuration) => ({ tenant: "", metadata: undefined, configuration, message: said(text, more) });
const now = { acceptedOutputModes: [], historyLength: undefined, returnImmediately: true, taskPushNotificationConfig: undefined };
const raw = async (key, body, headers = {}, to = BASE) => {
  const res = await fetchAs(key)(to, { method: "POST", headers: { "content-type": "application/json", "a2a-version": "1.0", ...headers }, body: JSON.stringify(body) });
  return { status: res.status, body: await res.json() };
};
const rpc = (method, params, more = {}) => ({ jsonrpc: "2.0", id: 7, method, params, ...more });
const secrets = (value) => JSON.stringify(value).match(/SECRET-\w+/g) ?? [];
const collect = async (events) => { const all = []; for await (const e of events) all.push(e); return all; };

const alice = await clientOf(ALICE), doctor = await clientOf(DOCTOR);

check("the card leads here, and says how one logs in here", async () => {
  const card = await alice.getAgentCard();
  assert.deepEqual(card.supportedInterfaces.map((i) => [i.url, i.protocolBinding, i.protocolVersion]), [[BASE, "JSONRPC", "1.0"], [BASE, "JSONRPC", "0.3"]]);
  assert.deepEqual(Object.keys(card.securitySchemes), ["bearer"]);
  assert.equal(card.signatures.length, 0);
  assert.equal(card.name, "Records");
});

check("… and of its skills those that the reader may use", async () => {
  assert.deepEqual((await alice.getAgentCard()).skills.map((s) => s.id), ["lookup"]);
  assert.deepEqual((await doctor.getAgentCard()).skills.map((s) => s.id), ["lookup", "erase"]);
});

check("the card of 0.3 is for clients of 0.3", async () => {
  const card = await (await fetchAs(ALICE)(`${BASE}/.well-known/agent-card.json`)).json();
  assert.equal(card.url, BASE);
  assert.equal(card.protocolVersion, "0.3.0");
  assert.deepEqual(card.security, [{ bearer: [] }]);
  assert.equal(card.supportedInterfaces, undefined);
});

check("nobody unknown sees the card or sends anything", async () => {
  assert.equal((await fetch(`${BASE}/.well-known/agent-card.json`)).status, 401);
  assert.equal((await raw("nobody", rpc("SendMessage", {}))).status, 401);
});

check("a message is answered by a task of sealed ids, whole for the doctor", async () => {
  const task = await doctor.sendMessage(send("record"));
  assert.equal(task.status.state, TaskState.TASK_STATE_COMPLETED);
  assert.ok(task.id.length > 40 && task.contextId.length > 40 && task.id !== task.contextId);
  const [data, text, file] = task.artifacts[0].parts;
  assert.equal(data.content.value.medical.diagnoses[0], "SECRET-diagnosis");
  assert.equal(text.content.value, "He has SECRET-text.");
  assert.equal(file.content.value.toString(), "SECRET-raw");
  assert.ok(secrets(task).length > 5);
});

check("of the same, alice sees what she may read, in artifacts, status and history", async () => {
  const task = await alice.sendMessage(send("record"));
  assert.deepEqual(secrets(task), []);
  assert.deepEqual(task.artifacts[0].parts[0].content.value, { name: "Sato", phone: "***", twin: "{}" });
  assert.match(task.artifacts[0].parts[1].content.value, /withholds/);
  assert.match(task.artifacts[0].parts[2].content.value, /withholds/);
  const again = await alice.getTask({ tenant: "", id: task.id });
  assert.equal(again.id, task.id);
  assert.deepEqual(secrets(again), []);
  assert.ok(again.history.length > 0 && again.artifacts.length === 1);
});

check("a message in place of a task is filtered as well", async () => {
  const message = await alice.sendMessage(send("talk"));
  assert.equal(message.role, Role.ROLE_AGENT);
  assert.equal(message.parts[0].content.value.name, "Sato");
  assert.deepEqual(secrets(message), []);
});

check("a stream brings each event as it comes, filtered", async () => {
  const events = await collect(alice.sendMessageStream(send("record")));
  const kinds = events.map((e) => e.payload.$case);
  assert.deepEqual(kinds, ["task", "statusUpdate", "artifactUpdate", "statusUpdate"]);
  assert.deepEqual(secrets(events), []);
  assert.equal(new Set(events.map((e) => e.payload.value.taskId || e.payload.value.id)).size, 1);
  assert.equal(events[2].payload.value.artifact.parts[0].content.value.name, "Sato");
});

check("a task goes on with its next message, in its context", async () => {
  const first = await alice.sendMessage(send("ask"));
  assert.equal(first.status.state, TaskState.TASK_STATE_INPUT_REQUIRED);
  const second = await alice.sendMessage(send("record", { taskId: first.id, contextId: first.contextId }));
  assert.equal(second.id, first.id);
  assert.equal(second.status.state, TaskState.TASK_STATE_COMPLETED);
});

check("a task is followed and cancelled", async () => {
  const task = await alice.sendMessage(send("slow", {}, now));
  const follow = collect(alice.resubscribeTask({ tenant: "", id: task.id }));
  const done = await alice.cancelTask({ tenant: "", id: task.id, metadata: undefined });
  assert.equal(done.status.state, TaskState.TASK_STATE_CANCELED);
  assert.equal(done.id, task.id);
  const events = await follow;
  assert.equal(events.at(-1).payload.value.status.state, TaskState.TASK_STATE_CANCELED);
});

check("nobody else has the task: not to see, follow, cancel, go on with or refer to", async () => {
  const task = await doctor.sendMessage(send("ask"));
  const before = lines().filter((l) => l.body).length;
  for (const call of [
    () => alice.getTask({ tenant: "", id: task.id }),
    () => alice.cancelTask({ tenant: "", id: task.id, metadata: undefined }),
    () => collect(alice.resubscribeTask({ tenant: "", id: task.id })),
    () => alice.sendMessage(send("record", { taskId: task.id })),
    () => alice.sendMessage(send("record", { contextId: task.contextId })),
    () => alice.sendMessage(send("record", { referenceTaskIds: [task.id] })),
    () => alice.listTasks({ tenant: "", contextId: task.contextId, status: 0, pageToken: "", statusTimestampAfter: undefined }),
  ]) await assert.rejects(call, /no such task or context/i);
  assert.equal(lines().filter((l) => l.body).length, before);
});

check("ids that are the agent's own, made up or changed are none", async () => {
  const task = await doctor.sendMessage(send("ask"));
  const own = lines().filter((l) => l.body?.method === "SendMessage").at(-1);
  const last = task.id.endsWith("A") ? "B" : "A";
  for (const id of ["1", own.body.id, task.contextId, task.id.slice(0, -1) + last, task.id.slice(1), "%"]) {
    const got = await raw(DOCTOR, rpc("GetTask", { id }));
    assert.equal(got.body.error?.code, -32001, id);
  }
});

check("tasks are listed by a context of one's own", async () => {
  const task = await alice.sendMessage(send("ask"));
  await alice.sendMessage(send("ask", { contextId: task.contextId }));
  const page = await alice.listTasks({ tenant: "", contextId: task.contextId, status: 0, pageSize: 1, pageToken: "", statusTimestampAfter: undefined });
  assert.equal(page.tasks.length, 1);
  assert.equal(page.totalSize, 2);
  const rest = await alice.listTasks({ tenant: "", contextId: task.contextId, status: 0, pageSize: 1, pageToken: page.nextPageToken, statusTimestampAfter: undefined });
  assert.deepEqual([page.tasks[0].id, rest.tasks[0].id].includes(task.id), true);
  const all = await raw(ALICE, rpc("ListTasks", {}));
  assert.equal(all.body.error.code, -32602);
});

check("who may not send is told why, and nothing is sent", async () => {
  const before = lines().filter((l) => l.body).length;
  const got = await raw(BOB, rpc("SendMessage", { message: { messageId: "x", role: "ROLE_USER", parts: [{ text: "record" }] } }));
  assert.equal(got.status, 200);
  assert.equal(got.body.error.code, -32010);
  assert.match(got.body.error.message, /SendMessage/);
  assert.equal(lines().filter((l) => l.body).length, before);
});

check("what the protocol does not have is refused before anything is decided", async () => {
  const message = { messageId: "x", role: "ROLE_USER", parts: [{ text: "record" }] };
  for (const [code, body, headers] of [
    [-32601, rpc("DropTables", {})],
    [-32601, rpc("message/send", { message })],
    [-32601, rpc("SendMessage", { message }), { "a2a-version": "0.3" }],
    [-32009, rpc("SendMessage", { message }), { "a2a-version": "2.0" }],
    [-32602, rpc("SendMessage", { message: { ...message, task_id: "1" } })],
    [-32602, rpc("SendMessage", { message: { ...message, TaskId: "1" } })],
    [-32602, rpc("SendMessage", { message: { ...message, role: "ROLE_AGENT" } })],
    [-32602, rpc("SendMessage", { message, tenant: "other" })],
    [-32602, rpc("GetTask", {})],
    [-32600, { ...rpc("SendMessage", { message }), id: undefined }],
    [-32600, [rpc("SendMessage", { message })]],
  ]) assert.equal((await raw(ALICE, body, headers)).body.error?.code, code, JSON.stringify(body));
  const doubled = await fetchAs(ALICE)(BASE, { method: "POST", headers: { "content-type": "application/json", "a2a-version": "1.0" }, body: '{"jsonrpc":"2.0","id":1,"id":2,"method":"SendMessage"}' });
  assert.equal((await doubled.json()).error.code, -32700);
});

check("an answer to another request does not pass", async () => {
  const got = await raw(ALICE, rpc("SendMessage", { message: { messageId: "x", role: "ROLE_USER", parts: [{ text: "garbage" }] } }));
  assert.equal(got.status, 502);
  assert.equal(got.body.id, 7);
});

check("a client of 0.3: message, stream, task, and its own refusals", async () => {
  const old = oldClient(ALICE);
  const task = await old.sendMessage(send("record"));
  assert.equal(task.status.state, TaskState.TASK_STATE_COMPLETED);
  assert.deepEqual(secrets(task), []);
  assert.equal(task.artifacts[0].parts[0].content.value.name, "Sato");
  const events = await collect(old.sendMessageStream(send("record")));
  assert.deepEqual(events.map((e) => e.payload.$case), ["task", "statusUpdate", "artifactUpdate", "statusUpdate"]);
  assert.deepEqual(secrets(events), []);
  assert.equal((await old.getTask({ tenant: "", id: task.id })).id, task.id);
  await assert.rejects(() => oldClient(DOCTOR).getTask({ tenant: "", id: task.id }), /no such task/i);
});

check("the client's credential never reaches the agent, a token that says for whom it is does", async () => {
  const calls = lines().filter((l) => l.headers);
  for (const key of [ALICE, DOCTOR]) assert.equal(JSON.stringify(calls).includes(key), false);
  const last = calls.filter((l) => l.body).at(-1);
  const claims = JSON.parse(Buffer.from(last.headers.authorization.split(".")[1], "base64url"));
  assert.equal(claims.aud, "https://records.test/a2a");
  assert.equal(claims.sub, "alice");
});

check("a client that leaves ends what the agent does for it", async () => {
  const stop = new AbortController();
  const before = lines().filter((l) => l.left).length;
  const res = await fetchAs(ALICE)(BASE, {
    method: "POST", signal: stop.signal, headers: { "content-type": "application/json", "a2a-version": "1.0" },
    body: JSON.stringify(rpc("SendStreamingMessage", { message: { messageId: "y", role: "ROLE_USER", parts: [{ text: "slow" }] } })),
  });
  await res.body.getReader().read();
  stop.abort();
  await until("the agent is left", () => lines().filter((l) => l.left).length > before);
});

// The second endpoint to the same agent: texts have a class of their own, and notifications may go somewhere.
const shown = await alice.getAgentCard();
const at = (key) => new ClientFactory({ transports: [new JsonRpcTransportFactory({ fetchImpl: fetchAs(key) })] })
  .createFromAgentCard({ ...shown, capabilities: { ...shown.capabilities, pushNotifications: true, extendedAgentCard: true }, supportedInterfaces: [{ url: TOLD, protocolBinding: "JSONRPC", protocolVersion: "1.0", tenant: "" }] });
const push = (url, more = {}) => ({ tenant: "", id: "p1", url, token: "t", authentication: { scheme: "Bearer", credentials: "SECRET-login" }, ...more });
const hook = "http://127.0.0.1:9/hook";

check("texts pass where their class may be read, whatever else may not", async () => {
  const task = await (await at(ALICE)).sendMessage(send("record"));
  assert.deepEqual([...new Set(secrets(task))].sort(), ["SECRET-done", "SECRET-text"]);
  assert.equal(task.artifacts[0].parts[1].content.value, "He has SECRET-text.");
});

check("a task of one endpoint is none at another", async () => {
  const task = await doctor.sendMessage(send("ask"));
  await assert.rejects(async () => (await at(DOCTOR)).getTask({ tenant: "", id: task.id }), /no such task/i);
});

check("notifications go where the operator lets them go, for whom the policy permits", async () => {
  const who = await at(DOCTOR);
  const task = await who.sendMessage(send("ask"));
  const set = await who.createTaskPushNotificationConfig(push(hook, { taskId: task.id }));
  assert.equal(set.url, hook);
  assert.equal(set.taskId, task.id);
  assert.deepEqual(secrets(set), []);
  const kept = await who.getTaskPushNotificationConfig({ tenant: "", taskId: task.id, id: "p1" });
  assert.equal(kept.url, hook);
  const list = await who.listTaskPushNotificationConfig({ tenant: "", taskId: task.id, pageSize: 0, pageToken: "" });
  assert.deepEqual(list.configs.map((c) => c.id), ["p1"]);
  const sent = lines().filter((l) => l.body?.method === "CreateTaskPushNotificationConfig");
  assert.equal(sent.length, 1);
  assert.equal(sent[0].body.params.authentication.credentials, "SECRET-login");
  await who.deleteTaskPushNotificationConfig({ tenant: "", taskId: task.id, id: "p1" });
  const begun = await who.sendMessage(send("ask", {}, { ...now, returnImmediately: false, taskPushNotificationConfig: push(hook, { taskId: "" }) }));
  assert.equal(begun.status.state, TaskState.TASK_STATE_INPUT_REQUIRED);
});

check("… for clients of 0.3 as well", async () => {
  const old = new LegacyJsonRpcTransport({ endpoint: TOLD, fetchImpl: fetchAs(DOCTOR) });
  const task = await old.sendMessage(send("ask"));
  const set = await old.createTaskPushNotificationConfig(push(hook, { taskId: task.id }));
  assert.deepEqual([set.url, set.taskId], [hook, task.id]);
  assert.deepEqual((await old.listTaskPushNotificationConfig({ tenant: "", taskId: task.id, pageSize: 0, pageToken: "" })).configs.map((c) => c.url), [hook]);
  await old.deleteTaskPushNotificationConfig({ tenant: "", taskId: task.id, id: "p1" });
  await assert.rejects(() => old.createTaskPushNotificationConfig(push("https://evil.example.com/", { taskId: task.id })), /may not be sent/);
});

check("… and nowhere else", async () => {
  const who = await at(DOCTOR);
  const task = await who.sendMessage(send("ask"));
  const before = lines().filter((l) => l.body).length;
  for (const url of ["http://127.0.0.1:8/hook", "https://evil.example.com/", "http://127.0.0.1:9@evil.example.com/", "http://169.254.169.254/", "https://127.0.0.1:9.evil.example.com/",
    "file:///etc/passwd", "http://127.0.0.1:9\\@evil.example.com/", "//127.0.0.1:9/", ""]) {
    await assert.rejects(() => who.createTaskPushNotificationConfig(push(url, { taskId: task.id })), undefined, url);
    if (url) await assert.rejects(() => who.sendMessage(send("ask", {}, { ...now, taskPushNotificationConfig: push(url, { taskId: "" }) })), undefined, url);
  }
  await assert.rejects(() => doctor.sendMessage(send("ask", {}, { ...now, taskPushNotificationConfig: push(hook, { taskId: "" }) })), /Notifications/);
  assert.equal(lines().filter((l) => l.body).length, before);
});

check("… and not past a filter, nor without a policy", async () => {
  await assert.rejects(async () => (await at(ALICE)).sendMessage(send("ask", {}, { ...now, taskPushNotificationConfig: push(hook, { taskId: "" }) })), /hidden/);
});

check("the extended card, as it was approved", async () => {
  const card = (await raw(DOCTOR, rpc("GetExtendedAgentCard", {}), {}, TOLD)).body.result;
  assert.deepEqual(card.skills.map((s) => s.id), ["lookup", "erase", "audit"]);
  assert.equal(card.supportedInterfaces[0].url, TOLD);
  assert.equal((await raw(DOCTOR, rpc("GetExtendedAgentCard", {}))).body.error.code, -32010);
});

check("a page from elsewhere does not get in", async () => {
  assert.equal((await raw(ALICE, rpc("SendMessage", {}), { origin: "https://evil.example.com" })).status, 403);
});

await run("a2a", "1.0 and 0.3");
