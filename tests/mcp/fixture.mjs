// SPDX-License-Identifier: Apache-2.0
// fixture.mjs PORT - an MCP server on the official SDK, with exactly what the conformance suite asks of a server:
// 2026-07-28 for each request on its own, 2025-11-25 and before in sessions, both at /mcp. It is the peer that the
// suite meets first by itself and then behind the gateway.
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { localhostHostValidation, localhostOriginValidation, NodeStreamableHTTPServerTransport, toNodeHandler, toWebRequest }
  from "@modelcontextprotocol/node";
import { acceptedContent, createMcpHandler, createRequestStateCodec, fromJsonSchema, inputRequired, isLegacyRequest, McpServer,
  ResourceTemplate } from "@modelcontextprotocol/server";
import * as z from "zod";

const png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==";
const wav = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAAAAA==";
const text = (s) => ({ type: "text", text: s });
const image = { type: "image", data: png, mimeType: "image/png" };
const resource = (uri, s) => ({ type: "resource", resource: { uri, mimeType: "text/plain", text: s } });
const say = (...content) => ({ content });
const state = createRequestStateCodec({ key: "a-key-of-the-fixture-that-is-long-enough", ttlSeconds: 600 });
const object = (properties, required = []) => ({ type: "object", properties, required });

// The questions that tools ask back: one for each kind.
const ask = {
  name: (message = "What is your name?") => inputRequired.elicit({ message, requestedSchema: object({ name: { type: "string" } }, ["name"]) }),
  colour: () => inputRequired.elicit({ message: "Step 2: What is your favorite color?", requestedSchema: object({ color: { type: "string" } }, ["color"]) }),
  ok: () => inputRequired.elicit({ message: "Please confirm", requestedSchema: object({ ok: { type: "boolean" } }, ["ok"]) }),
  model: (prompt, maxTokens) => inputRequired.createMessage({ messages: [{ role: "user", content: text(prompt) }], maxTokens }),
  roots: () => inputRequired.listRoots(),
};
const answered = (ctx, ...keys) => keys.every((k) => typeof ctx.mcpReq.inputResponses?.[k] === "object");

// What a tool of the older revisions sends while it runs, each after a short while.
async function spread(notes, send) {
  for (const [i, note] of notes.entries()) {
    if (i) await sleep(50);
    await send(note);
  }
}

const enums = {
  untitledSingle: { type: "string", enum: ["option1", "option2", "option3"] },
  titledSingle: { type: "string", oneOf: [1, 2, 3].map((n) => ({ const: `value${n}`, title: `Option ${n}` })) },
  legacyEnum: { type: "string", enum: ["opt1", "opt2", "opt3"], enumNames: ["Option One", "Option Two", "Option Three"] },
  untitledMulti: { type: "array", items: { type: "string", enum: ["option1", "option2", "option3"] } },
  titledMulti: { type: "array", items: { anyOf: [1, 2, 3].map((n) => ({ const: `value${n}`, title: `Choice ${n}` })) } },
};
const defaults = {
  name: { type: "string", default: "John Doe" },
  age: { type: "integer", default: 30 },
  score: { type: "number", default: 95.5 },
  status: { type: "string", enum: ["active", "inactive", "pending"], default: "active" },
  verified: { type: "boolean", default: true },
};
const told = (r) => say(text(`Elicitation completed: action=${r.action}, content=${JSON.stringify(r.content ?? {})}`));
const elicit = (ctx, message, properties, required) => ctx.mcpReq.elicitInput({ mode: "form", message, requestedSchema: object(properties, required) });

// name -> [description, run, input schema]
let morphed = false;
const tools = () => ({
  test_simple_text: ["Says one sentence", () => say(text("This is a simple text response for testing."))],
  test_image_content: ["Shows one pixel", () => say(image)],
  test_audio_content: ["Plays one sample", () => say({ type: "audio", data: wav, mimeType: "audio/wav" })],
  test_embedded_resource: ["Hands over a resource", () => say(resource("test://embedded-resource", "This is an embedded resource content."))],
  test_multiple_content_types: ["Says and shows several things",
    () => say(text("Multiple content types test:"), image, resource("test://mixed-content-resource", "{\"test\":\"data\"}"))],
  test_error_handling: ["Fails", () => { throw new Error("This tool intentionally returns an error for testing"); }],
  test_tool_with_logging: ["Logs while it runs", async (_, ctx) => {
    await spread(["Tool execution started", "Tool processing data", "Tool execution completed"], (m) => ctx.mcpReq.log("info", m));
    return say(text("Logged three times."));
  }],
  test_logging_tool: ["Logs when it may", async (_, ctx) => { await ctx.mcpReq.log("info", "a line"); return say(text("Logged.")); }],
  test_tool_with_progress: ["Tells how far it is", async (_, ctx) => {
    const token = ctx.mcpReq._meta?.progressToken;
    await spread([0, 50, 100], (progress) => token === undefined ? undefined :
      ctx.mcpReq.notify({ method: "notifications/progress", params: { progressToken: token, progress, total: 100 } }));
    return say(text("Done."));
  }],
  test_sampling: ["Asks the client's model", async ({ prompt }, ctx) => {
    const r = await ctx.mcpReq.requestSampling({ messages: [{ role: "user", content: text(prompt) }], maxTokens: 100 });
    return say(text(`LLM response: ${r.content.text ?? ""}`));
  }, z.object({ prompt: z.string() })],
  test_elicitation: ["Asks the person", async ({ message }, ctx) => {
    const of = (description) => ({ type: "string", description });
    const r = await elicit(ctx, message, { username: of("User's response"), email: of("User's email address") }, ["username", "email"]);
    return say(text(`User response: ${JSON.stringify(r)}`));
  }, z.object({ message: z.string() })],
  test_elicitation_sep1034_defaults: ["Asks with defaults", async (_, ctx) => told(await elicit(ctx, "Please review", defaults))],
  test_elicitation_sep1330_enums: ["Asks for choices", async (_, ctx) => told(await elicit(ctx, "Please choose", enums))],
  test_reconnection: ["Lets go of the stream while it runs", async (_, ctx) => {
    ctx.http?.closeSSE?.();
    await sleep(100);
    return say(text("Reconnection test completed."));
  }],
  test_missing_capability: ["Needs a client that samples", (_, ctx) => answered(ctx, "model") ? say(text("It samples."))
    : inputRequired({ inputRequests: { model: ask.model("Hello?", 10) } })],
  test_streaming_elicitation: ["Asks the person in its result", (_, ctx) =>
    acceptedContent(ctx.mcpReq.inputResponses, "user_name") ? say(text("Thanks.")) : inputRequired({ inputRequests: { user_name: ask.name() } })],
  test_trigger_tool_change: ["Says that tools changed", () => { modern.notify.toolsChanged(); return say(text("Said.")); }],
  test_trigger_prompt_change: ["Says that prompts changed", () => { modern.notify.promptsChanged(); return say(text("Said.")); }],
  test_input_required_result_elicitation: ["Needs a name", (_, ctx) => {
    const name = acceptedContent(ctx.mcpReq.inputResponses, "user_name")?.name;
    return name ? say(text(`Hello, ${name}!`)) : inputRequired({ inputRequests: { user_name: ask.name() } });
  }],
  test_input_required_result_sampling: ["Needs a model", (_, ctx) => answered(ctx, "capital_question")
    ? say(text(ctx.mcpReq.inputResponses.capital_question.content?.text ?? ""))
    : inputRequired({ inputRequests: { capital_question: ask.model("What is the capital of France?", 100) } })],
  test_input_required_result_list_roots: ["Needs roots", (_, ctx) => answered(ctx, "client_roots")
    ? say(text(`Roots: ${ctx.mcpReq.inputResponses.client_roots.roots?.map((r) => r.uri).join(", ")}`))
    : inputRequired({ inputRequests: { client_roots: ask.roots() } })],
  test_input_required_result_request_state: ["Keeps its state with the client", async (_, ctx) =>
    ctx.mcpReq.requestState()?.step === "confirm" && answered(ctx, "confirm") ? say(text("state-ok"))
      : inputRequired({ inputRequests: { confirm: ask.ok() }, requestState: await state.mint({ step: "confirm" }, ctx) })],
  test_input_required_result_tampered_state: ["Believes only its own state", async (_, ctx) =>
    ctx.mcpReq.requestState()?.step === "own" ? say(text("state-ok"))
      : inputRequired({ inputRequests: { confirm: ask.ok() }, requestState: await state.mint({ step: "own" }, ctx) })],
  test_input_required_result_multiple_inputs: ["Needs three things at once", async (_, ctx) =>
    answered(ctx, "user_name", "greeting", "client_roots") ? say(text("All there."))
      : inputRequired({
        inputRequests: { user_name: ask.name(), greeting: ask.model("Generate a greeting", 50), client_roots: ask.roots() },
        requestState: await state.mint({ step: "three" }, ctx),
      })],
  test_input_required_result_multi_round: ["Asks one after the other", async (_, ctx) => {
    const step = ctx.mcpReq.requestState()?.step;
    if (step === 2 && answered(ctx, "step2")) return say(text("Both told."));
    const second = step === 1 && answered(ctx, "step1");
    return inputRequired({
      inputRequests: second ? { step2: ask.colour() } : { step1: ask.name("Step 1: What is your name?") },
      requestState: await state.mint({ step: second ? 2 : 1 }, ctx),
    });
  }],
  test_input_required_result_capabilities: ["Asks for no more than the client can", (_, ctx) => {
    const can = ctx.mcpReq.envelope?.["io.modelcontextprotocol/clientCapabilities"] ?? {};
    const inputRequests = { ...can.sampling && { model: ask.model("Hello?", 10) }, ...can.elicitation && { name: ask.name() } };
    return answered(ctx, ...Object.keys(inputRequests)) ? say(text("Told.")) : inputRequired({ inputRequests });
  }],
  test_headers: ["Has a parameter that headers mirror", ({ region }) => say(text(`Region ${region}`)),
    fromJsonSchema(object({ region: { type: "string", "x-mcp-header": "Region" }, count: { type: "integer" } }, ["region"]))],
  patient: ["Gets a patient, and talks while it does", async ({ id }, ctx) => {
    const token = ctx.mcpReq._meta?.progressToken;
    const record = { id, name: "Jane", medical: { diagnosis: "secret-diagnosis" }, wards: [{ name: "A", medical: { bed: "secret-bed" } }] };
    if (token !== undefined)
      for (const message of ["secret-diagnosis", undefined])
        await ctx.mcpReq.notify({ method: "notifications/progress", params: { progressToken: token, progress: message ? 1 : 2, total: 2, message } });
    return { structuredContent: record, content: [text(JSON.stringify(record)), text("It is a secret-diagnosis.")] };
  }, z.object({ id: z.int() })],
  pay: ["Pays", ({ to, amount }) => { console.error(`paid ${amount} to ${to}`); return say(text(`Paid ${amount} to ${to}.`)); }, z.object({ to: z.string(), amount: z.int() })],
  morph: [morphed ? "Does something else now" : "Changes its own definition", () => { morphed = true; return say(text("Changed.")); }],
  tell_headers: ["Tells the headers that it was called with", (_, ctx) => say(text(JSON.stringify(Object.fromEntries(ctx.http.req.headers))))],
  wait: ["Waits until nobody wants it any more", (_, ctx) => new Promise((done) => {
    console.error("waits");
    ctx.mcpReq.signal.addEventListener("abort", () => { console.error(`left ${Date.now()}`); done(say(text("Left."))); });
  })],
  json_schema_2020_12_tool: ["Tool with JSON Schema 2020-12 features", () => say(text("ok")), fromJsonSchema({
    $schema: "https://json-schema.org/draft/2020-12/schema",
    type: "object",
    $defs: { address: { $anchor: "addressDef", type: "object", properties: { street: { type: "string" }, city: { type: "string" } } } },
    properties: {
      name: { type: "string" },
      address: { $ref: "#/$defs/address" },
      contactMethod: { type: "string", enum: ["phone", "email"] },
      phone: { type: "string" },
      email: { type: "string" },
    },
    allOf: [{ anyOf: [{ required: ["phone"] }, { required: ["email"] }] }],
    if: { properties: { contactMethod: { const: "phone" } }, required: ["contactMethod"] },
    then: { required: ["phone"] },
    else: { required: ["email"] },
    additionalProperties: false,
  })],
});

// name -> [description, run, arguments]
const user = (content) => ({ role: "user", content });
const prompts = {
  test_simple_prompt: ["One sentence", () => ({ messages: [user(text("This is a simple prompt for testing."))] })],
  test_prompt_with_arguments: ["Two arguments", ({ arg1, arg2 }) => ({ messages: [user(text(`Prompt with arguments: arg1='${arg1}', arg2='${arg2}'`))] }),
    z.object({ arg1: z.string(), arg2: z.string() })],
  test_prompt_with_embedded_resource: ["A resource", ({ resourceUri }) => ({
    messages: [user(resource(resourceUri, "Embedded resource content for testing.")), user(text("Please process the embedded resource above."))],
  }), z.object({ resourceUri: z.string() })],
  test_prompt_with_image: ["A picture", () => ({ messages: [user(image), user(text("Please analyze the image above."))] })],
  test_input_required_result_prompt: ["Needs a context", (ctx) => {
    const context = acceptedContent(ctx.mcpReq.inputResponses, "user_context")?.context;
    return context ? { messages: [user(text(`Context: ${context}`))] } : inputRequired({
      inputRequests: { user_context: inputRequired.elicit({ message: "What context should the prompt use?",
        requestedSchema: object({ context: { type: "string" } }, ["context"]) }) },
    });
  }],
};

const contents = (uri, rest) => ({ contents: [{ uri: uri.href, ...rest }] });
function resources(server) {
  const add = (name, uri, mimeType, read) => server.registerResource(name, uri, { description: `The resource ${name}`, mimeType }, read);
  add("static-text", "test://static-text", "text/plain",
    (uri) => contents(uri, { mimeType: "text/plain", text: "This is the content of the static text resource." }));
  add("static-binary", "test://static-binary", "image/png", (uri) => contents(uri, { mimeType: "image/png", blob: png }));
  add("watched", "test://watched-resource", "text/plain", (uri) => contents(uri, { mimeType: "text/plain", text: "Watched." }));
  add("template", new ResourceTemplate("test://template/{id}/data", { list: undefined }), "application/json",
    (uri, { id }) => contents(uri, { mimeType: "application/json", text: JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` }) }));
}

function build({ era } = {}) {
  const legacy = era !== "modern";
  const server = new McpServer({ name: "nakoso-fixture", version: "1.0.0" }, {
    capabilities: { tools: { listChanged: true }, prompts: { listChanged: true }, resources: { subscribe: true, listChanged: true },
      completions: {}, logging: {} },
    requestState: { verify: state.verify },
    cacheHints: { "tools/list": { ttlMs: 1000, cacheScope: "public" }, "resources/read": { ttlMs: 1000, cacheScope: "public" } },
  });
  for (const [name, [description, run, inputSchema]] of Object.entries(tools()))
    server.registerTool(name, { description, inputSchema }, inputSchema ? run : (ctx) => run({}, ctx));
  for (const [name, [description, run, argsSchema]] of Object.entries(prompts))
    server.registerPrompt(name, { description, argsSchema }, run);
  resources(server);
  server.server.setRequestHandler("completion/complete", () => ({ completion: { values: ["paris", "park", "party"], total: 3, hasMore: false } }));
  if (legacy)
    for (const method of ["resources/subscribe", "resources/unsubscribe"]) server.server.setRequestHandler(method, () => ({}));
  return server;
}

// Sessions of the older revisions, each with the events that a client may have missed.
const sessions = new Map();
class Events {
  list = [];
  async storeEvent(stream, message) { return `${stream}#${this.list.push([stream, message]) - 1}`; }
  async getStreamIdForEventId(id) { return id.split("#")[0]; }
  async replayEventsAfter(last, { send }) {
    const [stream, at] = last.split("#");
    for (const [i, [s, message]] of this.list.entries()) if (s === stream && i > Number(at)) await send(`${s}#${i}`, message);
    return stream;
  }
}
async function session() {
  const transport = new NodeStreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID, eventStore: new Events(), retryInterval: 500,
    onsessioninitialized: (id) => { sessions.set(id, transport); },
    onsessionclosed: (id) => { sessions.delete(id); },
  });
  await build().connect(transport);
  return transport;
}

function refuse(res, status, message) {
  res.writeHead(status, { "content-type": "application/json" });
  res.end(JSON.stringify({ jsonrpc: "2.0", id: null, error: { code: -32000, message } }));
}
const modern = createMcpHandler(build, { legacy: "reject", keepAliveMs: 1000 });
const answerModern = toNodeHandler(modern);
async function body(req) {
  const parts = [];
  for await (const part of req) parts.push(part);
  try { return JSON.parse(Buffer.concat(parts)); } catch { return undefined; }
}
async function serve(req, res) {
  const message = req.method === "POST" ? await body(req) : undefined;
  const id = req.headers["mcp-session-id"];
  if (req.method === "POST" && message === undefined) return refuse(res, 400, "not JSON");
  if (req.method === "POST" && !(await isLegacyRequest(await toWebRequest(req, message), message))) return answerModern(req, res, message);
  if (id !== undefined && !sessions.has(id)) return refuse(res, 404, "no such session");
  if (id === undefined && message?.method !== "initialize") return refuse(res, 400, "no session");
  return (sessions.get(id) ?? await session()).handleRequest(req, res, message);
}

const hostOk = localhostHostValidation(), originOk = localhostOriginValidation();
createServer((req, res) => {
  if (!hostOk(req, res) || !originOk(req, res)) return;
  if (new URL(req.url, "http://x").pathname !== "/mcp") return refuse(res, 404, "not here");
  serve(req, res).catch((e) => { console.error(e); if (!res.headersSent) refuse(res, 500, "failed"); });
}).listen(Number(process.argv[2]), "127.0.0.1");
