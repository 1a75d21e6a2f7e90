// SPDX-License-Identifier: Apache-2.0
// offer.mjs PORT - an MCP server on the official SDK whose tools a test reads from the file TOOLS before each answer:
// /new speaks 2026-07-28 alone, /old sessions of 2025-11-25 alone, /pages gives one tool a page, and /locked wants a
// bearer token.
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { NodeStreamableHTTPServerTransport, toNodeHandler } from "@modelcontextprotocol/node";
import { createMcpHandler, Server } from "@modelcontextprotocol/server";

const sessions = new Map();
function build(paged) {
  const server = new Server({ name: "offer", version: "1" }, { capabilities: { tools: {} } });
  server.setRequestHandler("tools/list", ({ params }) => {
    const { tools } = JSON.parse(readFileSync(process.env.TOOLS, "utf8"));
    if (!paged) return { tools };
    const at = Number(params?.cursor ?? 0);
    return { tools: tools.slice(at, at + 1), ...(at + 1 < tools.length ? { nextCursor: String(at + 1) } : {}) };
  });
  return server;
}
async function body(req) {
  const parts = [];
  for await (const part of req) parts.push(part);
  return parts.length ? JSON.parse(Buffer.concat(parts)) : undefined;
}
function refuse(res, status, headers = {}) {
  res.writeHead(status, { "content-type": "application/json", ...headers });
  res.end(JSON.stringify({ jsonrpc: "2.0", id: null, error: { code: -32000, message: "no" } }));
}
async function old(req, res) {
  const id = req.headers["mcp-session-id"], message = await body(req);
  let transport = sessions.get(id);
  if (!transport && message?.method !== "initialize") return refuse(res, id ? 404 : 400);
  if (!transport) {
    transport = new NodeStreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (made) => { sessions.set(made, transport); },
      onsessionclosed: (gone) => { sessions.delete(gone); console.log("closed"); },
    });
    await build(false).connect(transport);
  }
  return transport.handleRequest(req, res, message);
}
const handlers = {
  "/new": toNodeHandler(createMcpHandler(() => build(false), { legacy: "reject" })),
  "/pages": toNodeHandler(createMcpHandler(() => build(true), { legacy: "reject" })),
  "/old": old,
  "/locked": (req, res) => (req.headers.authorization === "Bearer s3cret" ? handlers["/new"](req, res) : refuse(res, 401)),
  "/html": (req, res) => { res.writeHead(200, { "content-type": "text/html" }); res.end("<html>"); },
};
createServer((req, res) => {
  Promise.resolve(handlers[req.url] ? handlers[req.url](req, res) : refuse(res, 404)).catch((e) => { console.error(e); if (!res.headersSent) refuse(res, 500); });
}).listen(Number(process.argv[2]), "127.0.0.1");
