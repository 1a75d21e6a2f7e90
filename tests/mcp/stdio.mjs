// SPDX-License-Identifier: Apache-2.0
// stdio.mjs FIRST - MCP servers that the gateway starts itself, seen from its clients: one process for each session, behind walls, and
// what becomes of those that go wrong (tiny.mjs); and the official servers with the official client. The environment: BASE, KEY, OTHER
// (another person's key), ADMIN, DIR (inside/, outside/, docs/), RUNNER (its process id).
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StreamableHTTPClientTransport } from "@modelcontextprotocol/sdk/client/streamableHttp.js";
import { check, run, until } from "./tap.mjs";

const { BASE, KEY, OTHER, ADMIN, DIR } = process.env;
const json = { "content-type": "application/json", accept: "application/json, text/event-stream" };

// One exchange by its bytes: status, session id, messages of the body.
async function ask(path, message, session, { key = KEY, headers = {}, signal } = {}) {
  const response = await fetch(`${BASE}${path}`, {
    method: "POST", signal, body: JSON.stringify({ jsonrpc: "2.0", ...message }),
    headers: { ...json, authorization: `Bearer ${key}`, ...(session ? { "mcp-session-id": session } : {}), ...headers },
  });
  const body = await response.text();
  const messages = response.headers.get("content-type")?.startsWith("text/event-stream")
    ? body.split("\n").filter((line) => line.startsWith("data: ")).map((line) => JSON.parse(line.slice(6))) : body ? [JSON.parse(body)] : [];
  return { status: response.status, session: response.headers.get("mcp-session-id"), messages, last: messages.at(-1) };
}
const hello = { id: 0, method: "initialize", params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "test", version: "1" } } };
async function open(path, options) {
  const { status, session, last } = await ask(path, hello, undefined, options);
  assert.ok(session, `${status} ${JSON.stringify(last)}`);
  await ask(path, { method: "notifications/initialized" }, session, options);
  return session;
}
const call = (path, session, name, args = {}, id = 1, options = {}, meta = undefined) =>
  ask(path, { id, method: "tools/call", params: { name: `${path.slice(1)}___${name}`, arguments: args, ...(meta ? { _meta: meta } : {}) } }, session, options);
const said = (answer) => { assert.equal(answer.last?.result?.content?.[0]?.type, "text", JSON.stringify(answer)); return answer.last.result.content[0].text; };
const close = (path, session) => fetch(`${BASE}${path}`, { method: "DELETE", headers: { authorization: `Bearer ${KEY}`, "mcp-session-id": session } });
// One that ends while it is looked at is gone, too.
const alive = (pid) => { try { return !readFileSync(`/proc/${pid}/stat`, "latin1").includes(") Z "); } catch { return false; } };
const metric = async (name) => Number((await (await fetch(`${ADMIN}/metrics`)).text()).match(new RegExp(`^${name}(?:{[^}]*})? (\\d+)`, "m"))[1]);
async function official(path) {
  const client = new Client({ name: "test", version: "1" });
  await client.connect(new StreamableHTTPClientTransport(new URL(`${BASE}${path}`), { requestInit: { headers: { authorization: `Bearer ${KEY}` } } }));
  return client;
}
const words = async (client, name, args) => (await client.callTool({ name, arguments: args })).content[0].text;

check("a round trip; the server has the environment that is named, and nothing else", async () => {
  const session = await open("/tiny");
  assert.deepEqual(JSON.parse(said(await call("/tiny", session, "echo", { a: [1, "é\n\u2028"] }, "x"))), { a: [1, "é\n\u2028"] });
  assert.equal(said(await call("/tiny", session, "greet")), "Hello 14");
  const { argv, cwd, SECRET, ...env } = JSON.parse(said(await call("/tiny", session, "environment")));
  assert.deepEqual(Object.keys(env).sort(), ["GREETING", "HOME", "INSIDE", "LANG", "OUTSIDE", "PATH", "PORT"]);
  assert.deepEqual([argv, cwd, SECRET.length], [["first", "second word"], "/", 14]);
  assert.equal((await close("/tiny", session)).status, 200);
});

check("walls: what is not granted is refused", async () => {
  const done = ["read inside", "write inside", "move inside", "run a program of the system"];
  const session = await open("/tiny"), came = JSON.parse(said(await call("/tiny", session, "attempt")));
  assert.deepEqual(Object.keys(came).filter((name) => came[name] === "done"), done);
  for (const [name, code] of Object.entries(came))
    if (!done.includes(name)) assert.ok(["EACCES", "EPERM", "EXDEV", 1].includes(code) || /exited|Command failed/.test(code), `${name}: ${code}`);
  console.log(`# ${JSON.stringify(came)}`);
  await close("/tiny", session);
});
check("walls: with `network: on` connections of the network, and no others", async () => {
  const session = await open("/net"), came = JSON.parse(said(await call("/net", session, "attempt")));
  assert.deepEqual(Object.keys(came).filter((name) => came[name] === "done" && !name.includes("inside")), ["run a program of the system", "connect by TCP", "send by UDP"]);
  await close("/net", session);
});

check("each session is a process of its own, and nobody else's", async () => {
  const mine = [await open("/small"), await open("/small")], theirs = await open("/small", { key: OTHER });
  const pid = async (session, options) => said(await call("/small", session, "x", {}, 1, options));
  const pids = [await pid(mine[0]), await pid(mine[1]), await pid(theirs, { key: OTHER })];
  assert.equal(new Set(pids).size, 3);
  assert.equal(await pid(mine[0]), pids[0]);
  assert.equal((await call("/small", theirs, "x")).status, 404);
  for (const session of mine) await close("/small", session);
  await until("its process ends with a session", () => !alive(pids[0]) && !alive(pids[1]));
  assert.equal((await call("/small", mine[0], "x")).status, 404);
  assert.ok(alive(pids[2]));
});
check("revision 2026-07-28: a process for each request", async () => {
  const meta = { "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientInfo": { name: "t", version: "1" }, "io.modelcontextprotocol/clientCapabilities": {} };
  const headers = { "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": "small___x" };
  const pids = [];
  for (let i = 0; i < 2; i++) pids.push(said(await call("/small", undefined, "x", {}, 1, { headers }, meta)));
  assert.notEqual(pids[0], pids[1]);
  await until("both are gone", () => !pids.some(alive));
});

check("two servers behind one endpoint: a session has a process of each", async () => {
  const session = await open("/both"), pids = [];
  for (const name of ["tiny___pid", "small___x"])
    pids.push(said(await ask("/both", { id: 1, method: "tools/call", params: { name, arguments: {} } }, session)));
  assert.ok(pids.every(alive) && pids[0] !== pids[1], `${pids}`);
  await close("/both", session);
  await until("both are gone", () => !pids.some(alive));
});

check("requests of one session with the same id get their own answers, progress and log lines", async () => {
  const session = await open("/tiny");
  const same = await Promise.all(["one", "two"].map((word) => call("/tiny", session, "progress", { word, ms: 300 }, 7, {}, { progressToken: "same" })));
  for (const answer of same)
    assert.deepEqual(answer.messages.filter((m) => m.method === "notifications/progress").map((m) => [m.params.progressToken, m.params.progress]), [["same", 1], ["same", 2]]);
  const answers = await Promise.all(["one", "two", "three"].map((word, i) =>
    call("/tiny", session, "progress", { word, ms: 300 }, 7, {}, { progressToken: word })));
  answers.forEach((answer, i) => {
    const word = ["one", "two", "three"][i];
    assert.deepEqual([said(answer), answer.last.id], [word, 7]);
    const progress = answer.messages.filter((m) => m.method === "notifications/progress");
    assert.deepEqual(progress.map((m) => [m.params.progressToken, m.params.progress]), [[word, 1], [word, 2]]);
  });
  assert.equal(answers.flatMap((a) => a.messages).filter((m) => m.method === "notifications/message").length, 3);
  await close("/tiny", session);
});
check("what a server says before a stream is open comes when it is", async () => {
  const session = await open("/tiny"), leave = new AbortController();
  const response = await fetch(`${BASE}/tiny`, { signal: leave.signal, headers: { accept: "text/event-stream", authorization: `Bearer ${KEY}`, "mcp-session-id": session } });
  let heard = "";
  for await (const piece of response.body.pipeThrough(new TextDecoderStream())) if ((heard += piece).includes("list_changed")) break;
  leave.abort();
  await close("/tiny", session);
});
check("a client that leaves cancels its request at the server", async () => {
  const session = await open("/tiny"), leave = new AbortController();
  const waiting = call("/tiny", session, "wait", {}, 1, { signal: leave.signal }).catch(() => "left");
  setTimeout(() => leave.abort(), 300);
  assert.equal(await waiting, "left");
  await until("it is told", async () => said(await call("/tiny", session, "cancelled")) === "cancelled");
  await close("/tiny", session);
});
check("large messages pass, larger ones than process.message_bytes do not", async () => {
  const session = await open("/tiny");
  assert.equal(said(await call("/tiny", session, "large", { size: 900000 })).length, 900000);
  const over = await call("/tiny", session, "large", { size: 1100000 });
  assert.match(over.last.error.message, /message_bytes|failed|upstream/);
});

// Whatever it does, its client gets an error and the process is gone; others do not notice.
for (const [name, how] of [["garbage", "no JSON"], ["deep", "no JSON"], ["endless", "a line without end"], ["die", "its death"]])
  check(`a server that goes wrong: ${name}`, async () => {
    const session = await open("/tiny"), pid = said(await call("/tiny", session, "pid"));
    const { status, last } = await call("/tiny", session, name);
    assert.ok(last.error, `${how}: ${status} ${JSON.stringify(last)}`);
    await until("it is gone", () => !alive(pid));
    assert.equal((await call("/tiny", session, "pid")).status, 404);
  });
check("a second answer to one request is dropped; a last answer before the end is not", async () => {
  const session = await open("/tiny");
  assert.equal((await call("/tiny", session, "twice")).messages.filter((m) => m.result).length, 1);
  assert.equal(said(await call("/tiny", session, "echo")), "{}");
  assert.equal(said(await call("/tiny", session, "last_words")), "bye");
});
check("a server that ends at once, or is no program, is an error with a reason", async () => {
  for (const path of ["/true", "/odd"]) {
    const { status, last, session } = await ask(path, hello);
    assert.ok(status >= 400 && last.error && !session, `${path}: ${status}`);
  }
});
check("one that ignores its end and SIGTERM, and what it has started, is killed", async () => {
  const session = await open("/stubborn"), pid = said(await call("/stubborn", session, "pid"));
  const child = said(await call("/stubborn", session, "children"));
  assert.ok(alive(pid) && alive(child));
  await close("/stubborn", session);
  await until("SIGTERM was not enough", () => new Promise((done) => setTimeout(() => done(!alive(pid)), 20)));
  await until("nor is anything left", () => !alive(child));
});
check("kill -9 of a server under a call is an error of this call alone", async () => {
  const sessions = [await open("/tiny"), await open("/tiny")], pid = Number(said(await call("/tiny", sessions[0], "pid")));
  const waiting = call("/tiny", sessions[0], "wait");
  setTimeout(() => process.kill(pid, "SIGKILL"), 200);
  assert.ok((await waiting).last.error);
  assert.equal(said(await call("/tiny", sessions[1], "echo")), "{}");
  await close("/tiny", sessions[1]);
});

check("no more sessions than process.sessions", async () => {
  const sessions = [];
  for (let i = 0; i < 4; i++) sessions.push(await open("/few"));
  const { status, last } = await ask("/few", hello);
  assert.ok(status >= 400 && last.error, `${status}`);
  await close("/few", sessions[0]);
  await until("there is room again", async () => (await ask("/few", hello)).session);
});
check("50 sessions that are opened and left end by themselves", async () => {
  const sessions = await Promise.all(Array.from({ length: 50 }, () => open("/idle")));
  const pids = await Promise.all(sessions.map(async (s) => said(await call("/idle", s, "x"))));
  assert.equal(new Set(pids).size, 50);
  await until("all are gone", () => new Promise((done) => setTimeout(() => done(!pids.some(alive)), 20)));
});

check("server-filesystem: files below its directory, and moves within", async () => {
  const client = await official("/files"), { tools } = await client.listTools();
  assert.ok(tools.length > 8 && tools.every((t) => t.name.startsWith("files___")), `${tools.length}`);
  assert.match(await words(client, "files___write_file", { path: `${DIR}/docs/new.txt`, content: "written" }), /Success/i);
  await words(client, "files___create_directory", { path: `${DIR}/docs/sub` });
  await words(client, "files___move_file", { source: `${DIR}/docs/new.txt`, destination: `${DIR}/docs/sub/moved.txt` });
  assert.equal(await words(client, "files___read_text_file", { path: `${DIR}/docs/sub/moved.txt` }), "written");
  assert.deepEqual(readdirSync(`${DIR}/docs/sub`), ["moved.txt"]);
  assert.match(await words(client, "files___read_text_file", { path: "/etc/shadow" }), /denied/i);
  // It would let this one through; its walls do not.
  assert.match(await words(client, "files___read_text_file", { path: `${DIR}/outside/note` }), /EACCES|permission denied/i);
  await client.close();
});
check("server-memory: a graph that outlives the session", async () => {
  let client = await official("/memory");
  await client.callTool({ name: "memory___create_entities", arguments: { entities: [{ name: "barrier", entityType: "place", observations: ["come not"] }] } });
  await client.close();
  client = await official("/memory");
  assert.match(await words(client, "memory___read_graph", {}), /come not/);
  await client.close();
});
check("server-everything: tools, resources, prompts, progress", async () => {
  const client = await official("/everything"), progress = [];
  assert.match(await words(client, "everything___echo", { message: "hello" }), /hello/);
  assert.ok((await client.listResources()).resources.length > 0);
  assert.ok((await client.listPrompts()).prompts.length > 0);
  await client.callTool({ name: "everything___trigger-long-running-operation", arguments: { duration: 0.5, steps: 3 } }, undefined, { onprogress: (p) => progress.push(p.progress) });
  assert.deepEqual(progress, [1, 2, 3]);
  await client.close();
});

check("kill -9 of the runner: its servers go with it, clients begin anew", async () => {
  const session = await open("/tiny"), pid = said(await call("/tiny", session, "pid"));
  const waiting = call("/tiny", session, "wait");
  setTimeout(() => process.kill(Number(process.env.RUNNER), "SIGKILL"), 200);
  assert.ok((await waiting).last.error);
  await until("its servers are gone", () => !alive(pid));
  await until("it is back", async () => (await ask("/small", hello)).session);
  assert.equal((await call("/tiny", session, "pid")).status, 404);
});
check("standard error is logged, so many lines a second and no more", async () => {
  const session = await open("/tiny");
  await call("/tiny", session, "complain");
  await close("/tiny", session);
  const log = readFileSync(`${DIR}/daemon.log`, "utf8"), lines = log.match(/complaint \d+ y+/g);
  assert.ok(lines.length > 0 && lines.length < 100 && lines.every((l) => l.length < 600), `${lines.length}`);
});
check("every process is accounted for", async () => {
  assert.ok(await metric("nakoso_mcp_server_starts_total") >= 1);
  await until("few are left", async () => (await metric("nakoso_mcp_servers")) <= 8);
});
await run("mcp_stdio", "servers that are started here");
process.exit();
