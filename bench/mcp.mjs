// SPDX-License-Identifier: Apache-2.0
// mcp.mjs server PORT - an MCP server on the official SDK with ten tools, for sessions (2025-11-25, at /old) and without (2026-07-28, at /new).
// mcp.mjs client ROUNDS NAME=URL… - calls its tool at each URL in turn, a call at a time, and prints medians (microseconds). The first is what
// the others are compared with. KEY is the bearer token, SERVER what tools have before their names. It has to lie beside the packages of tests/mcp.
import { randomUUID } from "node:crypto";
import { Agent, createServer, request } from "node:http";
import { NodeStreamableHTTPServerTransport, toNodeHandler } from "@modelcontextprotocol/node";
import { createMcpHandler, McpServer } from "@modelcontextprotocol/server";
import { z } from "zod";

const record = (id) => ({ id, name: "Jane Smith", born: "1968-04-12", phone: "+81 3 0000 0000", medical: { diagnosis: "none", medication: ["a", "b"] } });
function build() {
  const server = new McpServer({ name: "bench", version: "1" }, { capabilities: { tools: {} } });
  for (let i = 0; i < 10; i++)
    server.registerTool(i ? `tool_${i}` : "patient", { description: `Gets what tool ${i} gets, as a record of one patient with its medical part.`,
      inputSchema: z.object({ id: z.int(), note: z.string().optional() }),
      outputSchema: z.object({ id: z.int(), name: z.string(), born: z.string().optional(), phone: z.string().optional(), medical: z.any().optional() }) },
    ({ id }) => ({ structuredContent: record(id), content: [{ type: "text", text: JSON.stringify(record(id)) }] }));
  return server;
}
const sessions = new Map();
async function old(req, res) {
  let transport = sessions.get(req.headers["mcp-session-id"]);
  if (!transport) {
    transport = new NodeStreamableHTTPServerTransport({ sessionIdGenerator: randomUUID, enableJsonResponse: true,
      onsessioninitialized: (id) => { sessions.set(id, transport); } });
    await build().connect(transport);
  }
  return transport.handleRequest(req, res);
}
function serve(port) {
  const modern = toNodeHandler(createMcpHandler(build, { legacy: "reject" }));
  createServer((req, res) => { (req.url === "/old" ? old : modern)(req, res); }).listen(port, "127.0.0.1");
}

const agent = new Agent({ keepAlive: true, maxSockets: 1 });
function post(url, body, headers) {
  return new Promise((done, fail) => {
    const began = process.hrtime.bigint();
    const req = request(url, { method: "POST", agent, headers: { authorization: `Bearer ${process.env.KEY}`, "content-type": "application/json",
      accept: "application/json, text/event-stream", "content-length": Buffer.byteLength(body), ...headers } }, (res) => {
      const parts = [];
      res.on("data", (part) => parts.push(part)).on("end", () => done({ us: Number(process.hrtime.bigint() - began) / 1000, headers: res.headers, text: Buffer.concat(parts).toString() }));
    });
    req.on("error", fail).end(body);
  });
}
const message = (name, meta) => JSON.stringify({ jsonrpc: "2.0", id: 1, method: name ? "tools/call" : "tools/list",
  params: { ...name && { name, arguments: { id: 7 } }, ...meta && { _meta: meta } } });
async function caller(name, url) { // a function that makes one call and gives its microseconds
  const tool = name === "list" ? undefined : name === "direct" ? "patient" : `${process.env.SERVER}___patient`;
  let body, headers;
  if (url.includes("/new")) {
    body = message(tool, { "io.modelcontextprotocol/protocolVersion": "2026-07-28", "io.modelcontextprotocol/clientCapabilities": {} });
    headers = { "mcp-protocol-version": "2026-07-28", "mcp-method": tool ? "tools/call" : "tools/list", ...tool && { "mcp-name": tool } };
  } else {
    const hello = { jsonrpc: "2.0", id: 0, method: "initialize", params: { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: { name: "bench", version: "1" } } };
    const { headers: h } = await post(url, JSON.stringify(hello), {});
    body = message(tool);
    headers = { "mcp-protocol-version": "2025-11-25", "mcp-session-id": h["mcp-session-id"] };
    await post(url, JSON.stringify({ jsonrpc: "2.0", method: "notifications/initialized" }), headers);
  }
  return async () => {
    const { us, text } = await post(url, body, headers);
    if (!text.includes(tool ? "Jane Smith" : "tool_9") || tool && text.includes("diagnosis") !== (name === "direct")) throw new Error(`${name}: ${text}`);
    return us;
  };
}
const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
async function measure(rounds, names) {
  const subjects = [];
  for (const one of names) {
    const [name, url] = one.split("=");
    subjects.push({ name, ask: await caller(name, url), medians: [] });
  }
  for (let round = 0; round <= rounds; round++) { // round 0 warms up
    for (const s of subjects) s.round = [];
    for (let i = 0; i < 300; i++)
      for (let j = 0; j < subjects.length; j++) {
        const s = subjects[(i + j) % subjects.length];
        s.round.push(await s.ask());
      }
    if (round) for (const s of subjects) s.medians.push(median(s.round));
  }
  const [first] = subjects;
  for (const s of subjects) {
    const over = s === first || s.name === "list" ? "" : `, overhead ${median(s.medians.map((m, i) => m - first.medians[i])).toFixed(0)}`;
    console.log(`${s.name.padEnd(24)} p50 ${median(s.medians).toFixed(0)} us${over}`);
  }
}
if (process.argv[2] === "server") serve(Number(process.argv[3]));
else await measure(Number(process.argv[3]), process.argv.slice(4)).then(() => process.exit(0));
