// SPDX-License-Identifier: Apache-2.0
// tiny.mjs - an MCP server on standard input and output in lines of JSON, without an SDK, so that it can do what no SDK would: write what is
// no message, answer twice, end in the midst; and try what its walls have to refuse. Each tool is one such thing.
import { execFileSync, spawn } from "node:child_process";
import { chmodSync, linkSync, mkdirSync, readFileSync, readdirSync, renameSync, symlinkSync, writeFileSync } from "node:fs";
import { createSocket } from "node:dgram";
import { connect, createServer } from "node:net";
import { createInterface } from "node:readline";

const send = (message) => process.stdout.write(JSON.stringify({ jsonrpc: "2.0", ...message }) + "\n");
const text = (id, value) => send({ id, result: { content: [{ type: "text", text: String(value) }] } });
const { GREETING, SECRET, INSIDE, OUTSIDE, PORT } = process.env;
let asked;

// What came of an attempt: "done", or why not.
async function attempt(run) {
  try {
    await run();
    return "done";
  } catch (e) {
    return e.code ?? e.message;
  }
}
const socket = (make) => new Promise((done, failed) => {
  try {
    const s = make(done);
    s.on("error", failed);
  } catch (e) {
    failed(e);
  }
});
const attempts = {
  "read inside": () => readFileSync(`${INSIDE}/note`),
  "write inside": () => writeFileSync(`${INSIDE}/written`, "x"),
  "move inside": () => { mkdirSync(`${INSIDE}/sub`, { recursive: true }); renameSync(`${INSIDE}/written`, `${INSIDE}/sub/moved`); },
  "run a program of the system": () => execFileSync("/usr/bin/true"),
  "read /etc/shadow": () => readFileSync("/etc/shadow"),
  "read /etc/passwd": () => readFileSync("/etc/passwd"),
  "list /": () => readdirSync("/"),
  "read outside": () => readFileSync(`${OUTSIDE}/note`),
  "read by a link": () => { symlinkSync(`${OUTSIDE}/note`, `${INSIDE}/link`); readFileSync(`${INSIDE}/link`); },
  "link to outside": () => linkSync(`${OUTSIDE}/note`, `${INSIDE}/hard`),
  "write outside": () => writeFileSync(`${OUTSIDE}/written`, "x"),
  "write to its own program": () => writeFileSync(process.argv[1], "x"),
  "change a mode outside": () => chmodSync(`${OUTSIDE}/note`, 0o777),
  "run what it wrote": () => { writeFileSync(`${INSIDE}/sub/p`, "#!/bin/sh\n", { mode: 0o755 }); execFileSync(`${INSIDE}/sub/p`); },
  "connect by TCP": () => socket((done) => connect(Number(PORT), "127.0.0.1", done)),
  "send by UDP": () => socket((done) => createSocket("udp4").bind(0, done)),
  "connect to a Unix socket": () => socket((done) => connect(`${OUTSIDE}/control.sock`, done)),
  "connect to an abstract socket": () => socket((done) => connect("\0nobody", done)),
  "listen": () => socket((done) => createServer().listen(0, "127.0.0.1", done)),
  "signal its parent": () => process.kill(process.ppid, 0),
  "see other processes": () => readFileSync(`/proc/${process.ppid}/cmdline`),
  "get a new name space": () => execFileSync("/usr/bin/unshare", ["--user", "/usr/bin/true"], { stdio: "ignore" }),
  "trace": () => execFileSync("/usr/bin/perl", ["-e", "exit(syscall(101, 0, 0, 0, 0) == 0 ? 0 : 1)"], { stdio: "ignore" }),
  "leave its group": () => execFileSync("/usr/bin/perl", ["-e", "exit(syscall(112) >= 0 ? 0 : 1)"], { stdio: "ignore" }),
};

const tools = {
  echo: (id, args) => text(id, JSON.stringify(args)),
  environment: (id) => text(id, JSON.stringify({ ...process.env, argv: process.argv.slice(2), cwd: process.cwd() })),
  greet: (id) => text(id, `${GREETING} ${SECRET?.length}`),
  pid: (id) => text(id, process.pid),
  attempt: async (id) => {
    const came = {};
    for (const [name, run] of Object.entries(attempts)) came[name] = await attempt(run);
    text(id, JSON.stringify(came));
  },
  twice: (id) => { text(id, "once"); text(id, "twice"); },
  garbage: () => process.stdout.write("Listening on stdio!\n"),
  deep: () => process.stdout.write("[".repeat(5000) + "\n"),
  endless: () => { const more = () => process.stdout.write("x".repeat(65536), more); more(); },
  die: () => process.exit(3),
  last_words: (id) => { process.stdout.write(JSON.stringify({ jsonrpc: "2.0", id, result: { content: [{ type: "text", text: "bye" }] } }) + "\n", () => process.exit(0)); },
  complain: (id) => { for (let i = 0; i < 1000; i++) console.error(`complaint ${i} ${"y".repeat(2000)}`); text(id, "done"); },
  children: (id) => { const child = spawn("/usr/bin/sleep", ["1000"], { stdio: "ignore", detached: true }); text(id, child.pid); },
  wait: (id) => { asked = id; },
  cancelled: (id) => text(id, asked === null ? "cancelled" : "no"),
  progress: (id, args, meta) => {
    for (const progress of [1, 2]) send({ method: "notifications/progress", params: { progressToken: meta.progressToken, progress } });
    send({ method: "notifications/message", params: { level: "info", data: args.word } });
    setTimeout(() => text(id, args.word), args.ms ?? 0);
  },
  large: (id, args) => text(id, "z".repeat(args.size)),
};
const methods = {
  initialize: ({ id, params }) => send({ id, result: { protocolVersion: params.protocolVersion, capabilities: { tools: {}, logging: {} }, serverInfo: { name: "tiny", version: "1" } } }),
  "notifications/initialized": () => send({ method: "notifications/tools/list_changed" }),
  "notifications/cancelled": ({ params }) => { if (params.requestId === asked) asked = null; },
  ping: ({ id }) => send({ id, result: {} }),
  "server/discover": ({ id }) => send({ id, result: { resultType: "complete", supportedVersions: ["2026-07-28"], capabilities: { tools: {} }, serverInfo: { name: "tiny", version: "1" }, ttlMs: 0, cacheScope: "private" } }),
  "tools/list": ({ id }) => send({ id, result: { tools: Object.keys(tools).map((name) => ({ name, description: `Does ${name}.`, inputSchema: { type: "object" } })) } }),
  "tools/call": ({ id, params }) => tools[params.name](id, params.arguments ?? {}, params._meta ?? {}),
};
if (process.argv[2] === "stubborn") process.on("SIGTERM", () => {});
createInterface({ input: process.stdin })
  .on("line", (line) => { const m = JSON.parse(line); if (m.method) methods[m.method]?.(m); })
  .on("close", () => { if (process.argv[2] === "stubborn") setInterval(() => {}, 1000); });
