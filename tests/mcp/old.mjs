// SPDX-License-Identifier: Apache-2.0
// old.mjs PORT… - an MCP server on the official SDK of the first generation, at each of the ports: 2025-11-25 and before, in sessions,
// and nothing else. What it asks the client comes on the stream of the call that it is about, but for the tools tell and wonder. Its
// stream of GET is closed by GET /close, and not offered after GET /refuse.
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { McpServer, ResourceTemplate } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { CreateMessageResultSchema, ElicitResultSchema, ListRootsResultSchema } from "@modelcontextprotocol/sdk/types.js";
import * as z from "zod";

const text = (s) => ({ type: "text", text: s });

function build(id) {
  const server = new McpServer({ name: "old", version: "1.0.0" }, { capabilities: { logging: {} }, instructions: "Be kind." });
  server.registerTool("add", { description: "Adds", inputSchema: { a: z.number(), b: z.number() }, outputSchema: { sum: z.number() } },
    ({ a, b }) => ({ content: [text(String(a + b))], structuredContent: { sum: a + b } }));
  server.registerTool("fail", { description: "Fails" }, () => { throw new Error("It fails."); });
  server.registerTool("session", { description: "Tells its session" }, () => ({ content: [text(id())] }));
  server.registerTool("can", { description: "Tells what the client can" }, () => ({ content: [text(JSON.stringify(server.server.getClientCapabilities()))] }));
  server.registerTool("link", { description: "Links" }, () => ({ content: [{ type: "resource_link", uri: "old://page", name: "page" }] }));
  server.registerTool("steps", { description: "Tells how far it is" }, async (extra) => {
    const progressToken = extra._meta?.progressToken;
    await extra.sendNotification({ method: "notifications/message", params: { level: "info", data: "a line" } });
    for (const progress of [1, 2])
      if (progressToken !== undefined) await extra.sendNotification({ method: "notifications/progress", params: { progressToken, progress, total: 2 } });
    return { content: [text("Done.")] };
  });
  server.registerTool("ask", { description: "Asks the person", inputSchema: { message: z.string() } }, async ({ message }, extra) => {
    const requestedSchema = { type: "object", properties: { name: { type: "string" } }, required: ["name"] };
    const r = await extra.sendRequest({ method: "elicitation/create", params: { message, requestedSchema } }, ElicitResultSchema);
    return { content: [text(`${message}: ${r.content?.name}`)] };
  });
  server.registerTool("many", { description: "Asks for all that can be asked, and says much" }, async (extra) => {
    const progressToken = extra._meta?.progressToken;
    const told = (progress) => progressToken !== undefined && extra.sendNotification({ method: "notifications/progress", params: { progressToken, progress, total: 3 } });
    await told(1);
    const requestedSchema = { type: "object", properties: { name: { type: "string" } }, required: ["name"] };
    const who = await extra.sendRequest({ method: "elicitation/create", params: { message: "Who?", requestedSchema } }, ElicitResultSchema);
    await told(2);
    const [roots, text] = await Promise.all([ // both at a time
      extra.sendRequest({ method: "roots/list" }, ListRootsResultSchema),
      extra.sendRequest({ method: "sampling/createMessage", params: { maxTokens: 9, messages: [{ role: "user", content: { type: "text", text: "The capital?" } }] } }, CreateMessageResultSchema)]);
    await told(3);
    return { content: [{ type: "text", text: [who.content?.name, roots.roots[0].uri, text.content.text].join(" ") }, { type: "text", text: "much ".repeat(40000) }] };
  });
  server.registerTool("wait", { description: "Asks, and tells when it is cancelled" }, async (extra) => {
    extra.signal.addEventListener("abort", () => console.error("cancelled wait"));
    const requestedSchema = { type: "object", properties: {} };
    const r = await extra.sendRequest({ method: "elicitation/create", params: { message: "Still there?", requestedSchema } }, ElicitResultSchema);
    console.error(`answered wait ${r.action}`);
    return { content: [text(r.action)] };
  });
  server.registerPrompt("asks", { description: "Asks", argsSchema: {} }, async (_, extra) => {
    const requestedSchema = { type: "object", properties: { name: { type: "string" } } };
    const r = await extra.sendRequest({ method: "elicitation/create", params: { message: "For whom?", requestedSchema } }, ElicitResultSchema);
    return { messages: [{ role: "user", content: text(`For ${r.content?.name}.`) }] };
  });
  server.registerTool("tell", { description: "Says things on its own account" }, async () => {
    server.sendToolListChanged();
    server.sendResourceListChanged();
    server.sendPromptListChanged();
    await server.server.sendResourceUpdated({ uri: "old://page" });
    await server.server.sendLoggingMessage({ level: "info", data: "on its own" });
    return { content: [text("Said.")] };
  });
  server.registerTool("wonder", { description: "Asks on its own account", inputSchema: { message: z.string() } }, async ({ message }) => {
    const requestedSchema = { type: "object", properties: { name: { type: "string" } }, required: ["name"] };
    await server.server.ping();
    const r = await server.server.elicitInput({ message, requestedSchema });
    return { content: [text(`${message}: ${r.content?.name}`)] };
  });
  // What it says of a patient takes as long as one wants; a line about it goes to whoever listens.
  server.registerTool("chart", { description: "Tells all about a patient", inputSchema: { ms: z.number() } }, async ({ ms }) => {
    const chart = { name: "Suzuki", medical: { diagnosis: "measles" } };
    await sleep(ms);
    await server.sendLoggingMessage({ level: "info", data: chart });
    return { content: [text(JSON.stringify(chart))], structuredContent: chart };
  });
  server.registerTool("echo", { description: "Says it again", inputSchema: { say: z.string(), ms: z.number() } }, async ({ say, ms }) => {
    await sleep(ms);
    return { content: [text(say)] };
  });
  server.registerResource("page", "old://page", { mimeType: "text/plain" }, (uri) => ({ contents: [{ uri: uri.href, text: "A page." }] }));
  server.registerResource("pages", new ResourceTemplate("old://pages/{n}", { list: undefined, complete: { n: () => ["1", "2"] } }), {},
    (uri, { n }) => ({ contents: [{ uri: uri.href, text: `Page ${n}.` }] }));
  server.registerPrompt("greet", { description: "Greets", argsSchema: { who: z.string() } },
    ({ who }) => ({ messages: [{ role: "user", content: text(`Greet ${who}.`) }] }));
  return server;
}

const sessions = new Map(), open = new Map(), refusing = new Set();
async function session() {
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    onsessioninitialized: (id) => { console.error(`session ${id}`); sessions.set(id, transport); },
    onsessionclosed: (id) => { console.error(`closed ${id}`); sessions.delete(id); },
  });
  await build(() => transport.sessionId).connect(transport);
  return transport;
}
// What the test wants of the server at this port.
function told(req, res, port) {
  if (req.url === "/close") open.get(port)?.end();
  if (req.url === "/refuse") refusing.add(port);
  res.end(open.has(port) ? "open" : "none");
}
async function serve(req, res, port) {
  const id = req.headers["mcp-session-id"];
  if (req.method === "GET" && req.url !== "/mcp") return told(req, res, port);
  if (req.method === "GET" && refusing.has(port)) {
    res.writeHead(405, { allow: "POST, DELETE" });
    return res.end();
  }
  if (req.method === "GET") {
    open.set(port, res);
    res.on("close", () => { open.delete(port); console.error(`stream of ${port} left at ${Date.now()}`); });
  }
  if (id !== undefined && !sessions.has(id)) {
    res.writeHead(404, { "content-type": "application/json" });
    return res.end(JSON.stringify({ jsonrpc: "2.0", id: null, error: { code: -32001, message: "Session not found" } }));
  }
  return (sessions.get(id) ?? await session()).handleRequest(req, res);
}
for (const port of process.argv.slice(2))
  createServer((req, res) => serve(req, res, port).catch((e) => { console.error(e); res.destroy(); })).listen(Number(port), "127.0.0.1");
