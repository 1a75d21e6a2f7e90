// SPDX-License-Identifier: Apache-2.0
// new.mjs PORT… - an MCP server on the official SDK of the second generation, at each of the ports: 2026-07-28, and nothing else.
import { createServer } from "node:http";
import { toNodeHandler } from "@modelcontextprotocol/node";
import { createMcpHandler, fromJsonSchema, McpServer, ResourceTemplate } from "@modelcontextprotocol/server";
import * as z from "zod";

const text = (s) => ({ type: "text", text: s });

function build(told) {
  const server = new McpServer({ name: "new", version: "2.0.0" }, {
    capabilities: { logging: {}, tools: { listChanged: true }, resources: { subscribe: true } }, instructions: "Be brief.",
    cacheHints: { "tools/list": { ttlMs: 1000, cacheScope: "public" }, "resources/read": { ttlMs: 1000, cacheScope: "public" } },
  });
  server.registerTool("add", { description: "Adds", inputSchema: z.object({ a: z.number(), b: z.number() }), outputSchema: z.object({ sum: z.number() }) },
    ({ a, b }) => ({ content: [text(String(a + b))], structuredContent: { sum: a + b } }));
  server.registerTool("fail", { description: "Fails" }, () => { throw new Error("It fails."); });
  server.registerTool("region", { description: "Has a parameter that headers repeat", inputSchema: fromJsonSchema({
    type: "object", properties: { region: { type: "string", "x-mcp-header": "Region" } }, required: ["region"] }) },
  ({ region }) => ({ content: [text(`Region ${region}`)] }));
  server.registerTool("told", { description: "Tells what it was told of the client" }, (ctx) => ({ content: [text(JSON.stringify(ctx.mcpReq.envelope))] }));
  server.registerTool("steps", { description: "Tells how far it is" }, async (ctx) => {
    const progressToken = ctx.mcpReq._meta?.progressToken;
    for (const progress of [1, 2])
      if (progressToken !== undefined) await ctx.mcpReq.notify({ method: "notifications/progress", params: { progressToken, progress, total: 2 } });
    return { content: [text("Done.")] };
  });
  server.registerTool("tell", { description: "Says things on its own account" }, () => {
    told().toolsChanged();
    told().resourceUpdated("new://page");
    told().resourceUpdated("new://other");
    return { content: [text("Said.")] };
  });
  server.registerTool("end", { description: "Ends all subscriptions" }, () => { setTimeout(() => told().close(), 20); return { content: [text("It will end.")] }; });
  server.registerResource("page", "new://page", { mimeType: "text/plain" }, (uri) => ({ contents: [{ uri: uri.href, text: "A page." }] }));
  server.registerResource("pages", new ResourceTemplate("new://pages/{n}", { list: undefined, complete: { n: () => ["1", "2"] } }), {},
    (uri, { n }) => ({ contents: [{ uri: uri.href, text: `Page ${n}.` }] }));
  server.registerPrompt("greet", { description: "Greets", argsSchema: z.object({ who: z.string() }) },
    ({ who }) => ({ messages: [{ role: "user", content: text(`Greet ${who}.`) }] }));
  return server;
}
for (const port of process.argv.slice(2)) {
  const handler = createMcpHandler(() => build(() => ({ toolsChanged: () => handler.notify.toolsChanged(),
    resourceUpdated: (uri) => handler.notify.resourceUpdated(uri), close: () => handler.close() })), { legacy: "reject" });
  const answer = toNodeHandler(handler);
  createServer((req, res) => {
    if (req.headers["mcp-method"] === "subscriptions/listen") res.on("close", () => console.error(`subscription at ${port} over at ${Date.now()}`));
    answer(req, res);
  }).listen(Number(port), "127.0.0.1");
}
