// SPDX-License-Identifier: Apache-2.0
// official.mjs FIRST | offer - the official client, unmodified: what the official example server offers and does is the same
// through the gateway as without it; and it finds by itself where to get a token for an endpoint. `offer` prints the tools that the
// server shows to a client that can be asked everything. The environment: DIRECT and BASE (the server, without and with the gateway), OAUTH
// (an endpoint that takes tokens for itself alone), ISSUER (its authorization server), KEY.
import assert from "node:assert/strict";
import { Client, StreamableHTTPClientTransport, UnauthorizedError } from "@modelcontextprotocol/client";
import { Person, withConsent } from "./provider.mjs";
import { check, run } from "./tap.mjs";

const { DIRECT, BASE, OAUTH, ISSUER, KEY } = process.env;

// A client that answers all that a server may ask, and keeps what it is told.
function make(told = []) {
  const client = new Client({ name: "official", version: "1" }, { capabilities: { elicitation: { form: {} }, sampling: {}, roots: { listChanged: true } } });
  client.setRequestHandler("elicitation/create", ({ params }) => {
    told.push(["asked", params.message]);
    return { action: "accept", content: { name: "Zoe", check: true } };
  });
  client.setRequestHandler("sampling/createMessage", ({ params }) => {
    told.push(["sample", params.messages[0].content]);
    return { role: "assistant", model: "none", content: { type: "text", text: "A sampled sentence." } };
  });
  client.setRequestHandler("roots/list", () => ({ roots: [{ uri: "file:///rooms", name: "rooms" }] }));
  return client;
}
async function connected(url) {
  const told = [], client = make(told);
  const transport = new StreamableHTTPClientTransport(new URL(url), url === DIRECT ? {} : { requestInit: { headers: { authorization: `Bearer ${KEY}` } } });
  await client.connect(transport);
  return { client, transport, told };
}
if (process.argv[2] === "offer") {
  const { client } = await connected(DIRECT);
  console.log(JSON.stringify(await client.listTools()));
  process.exit();
}
const both = [await connected(DIRECT), await connected(BASE)];

// What `what` brings back has to be the same on both ways, and is returned.
async function alike(what, keep = (x) => x) {
  const [direct, through] = await Promise.all(both.map(async (way) => {
    way.told.length = 0;
    return { result: keep(await what(way.client, way.told)), told: [...way.told] };
  }));
  assert.deepEqual(through, direct);
  return through;
}
const call = (name, args = {}, options = undefined) => (client) => client.callTool({ name, arguments: args }, options);
const text = ({ result }) => result.content.map((c) => c.text ?? c.type).join("\n");

check("capabilities, instructions and who the server is", async () => {
  await alike((c) => [c.getServerVersion(), c.getInstructions(), Object.keys(c.getServerCapabilities()).sort()]);
});
check("lists", async () => {
  // An output schema is not shown, because results may come without fields that their reader may not see; `execution` is of tasks.
  const approved = ({ tools }) => tools.map(({ outputSchema, execution, ...rest }) => rest);
  assert.equal((await alike((c) => c.listTools(), approved)).result.length > 15, true);
  await alike((c) => c.listResources());
  await alike((c) => c.listResourceTemplates());
  await alike((c) => c.listPrompts());
});
check("calls: text, structure, images, errors", async () => {
  assert.equal(text(await alike(call("get-sum", { a: 2, b: 3 }))), "The sum of 2 and 3 is 5.");
  await alike(call("echo", { message: "あ\u0000 \"x\"" }));
  await alike(call("get-structured-content", { location: "Chicago" }));
  await alike(call("get-tiny-image"));
  await alike(call("get-annotated-message", { messageType: "error", includeImage: true }));
  await alike(call("get-resource-links", { count: 3 }));
});
check("a call that tells how far it is", async () => {
  const steps = (c, told) => call("trigger-long-running-operation", { duration: 0.4, steps: 4 }, { onprogress: (p) => told.push([p.progress, p.total]) })(c);
  assert.deepEqual((await alike(steps)).told, [[1, 4], [2, 4], [3, 4], [4, 4]]);
});
check("what the server asks the client: a person, a model, roots", async () => {
  assert.equal((await alike(call("trigger-elicitation-request"))).told.length, 1);
  assert.match(text(await alike(call("trigger-sampling-request", { prompt: "Say something.", maxTokens: 10 }))), /A sampled sentence/);
  assert.match(text(await alike(call("get-roots-list"))), /file:\/\/\/rooms/);
});
check("resources, prompts, completion", async () => {
  const { result } = await alike((c) => c.listResources());
  await alike((c) => c.readResource({ uri: result.resources[0].uri }));
  await alike((c) => c.getPrompt({ name: "args-prompt", arguments: { city: "Osaka" } }));
  await alike((c) => c.complete({ ref: { type: "ref/prompt", name: "completable-prompt" }, argument: { name: "department", value: "E" } }));
});
check("the end of a session", async () => {
  for (const { client, transport } of both) { await transport.terminateSession(); await client.close(); }
});

// Discovery: nothing but the endpoint's URL is known.
const asked = async () => (await (await fetch(`${ISSUER}/asked`)).text()).split("\n").filter(Boolean).map((l) => JSON.parse(l));
const issuing = (aud) => fetch(`${ISSUER}/for${aud ? `?aud=${encodeURIComponent(aud)}` : ""}`);
const add = async (client) => (await client.callTool({ name: "get-sum", arguments: { a: 2, b: 3 } })).content[0].text;
const token = async (q) => ({ access_token: await (await fetch(`${ISSUER}/token?${new URLSearchParams({ iss: ISSUER, ...q })}`)).text(), token_type: "Bearer", issuer: ISSUER });
const flow = [{ at: "authorize", resource: OAUTH, scope: "mcp:tools" }, { at: "token", resource: OAUTH, scope: "mcp:tools" }];

check("discovery: 401, metadata, authorization server, registration, token, call", async () => {
  assert.equal(await withConsent(OAUTH, new Person(), make, add), "The sum of 2 and 3 is 5.");
  assert.deepEqual(await asked(), flow);
});
check("discovery: a token that it has is used as it is", async () => {
  const person = new Person();
  person.saveTokens(await token({ aud: OAUTH, scope: "mcp:tools" }));
  assert.equal(await withConsent(OAUTH, person, make, add), "The sum of 2 and 3 is 5.");
  assert.deepEqual(await asked(), []);
});
check("discovery: with a token for somebody else it is sent to get its own", async () => {
  const person = new Person();
  person.saveTokens(await token({ aud: "https://other.example.com/mcp", scope: "mcp:tools" }));
  assert.equal(await withConsent(OAUTH, person, make, add), "The sum of 2 and 3 is 5.");
  assert.deepEqual(await asked(), flow);
});
check("discovery: with a token that lacks a scope it is sent for one that has it", async () => {
  const person = new Person();
  person.saveTokens({ ...await token({ aud: OAUTH, scope: "mcp:other" }), scope: "mcp:other" });
  assert.equal(await withConsent(OAUTH, person, make, add), "The sum of 2 and 3 is 5.");
  const [{ scope }] = await asked();
  assert.equal(scope.split(" ").includes("mcp:tools"), true, scope);
});
check("discovery: an authorization server that issues for somebody else is of no use", async () => {
  await issuing("https://other.example.com/mcp");
  await assert.rejects(withConsent(OAUTH, new Person(), make, add), UnauthorizedError);
  assert.deepEqual((await asked()).slice(0, 2), flow);
  await issuing();
});

await run("mcp", "official");
