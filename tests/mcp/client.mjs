// SPDX-License-Identifier: Apache-2.0
// client.mjs PORT DIRECTORY NAKOSO KEY - the client that the conformance suite tests, on the official SDK, as a service on 127.0.0.1:PORT:
//   /direct?scenario=&version=&context=&url=   goes to the suite's server itself
//   /through?…                                 starts a gateway in front of it, in DIRECTORY, and goes to that one
// One process for all scenarios, because starting one costs more than a scenario. It uses whatever a server offers.
import { spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdirSync, mkdtempSync, openSync, copyFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { connect, createServer as listen } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Client, ClientCredentialsProvider, discoverOAuthProtectedResourceMetadata, extractWWWAuthenticateParams, PrivateKeyJwtProvider,
  StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { Person, withConsent } from "./provider.mjs";

const [port, directory, nakoso, key] = process.argv.slice(2);
const NEW = "2026-07-28";

// Arguments for the suite's tools that need some.
const sensible = { add_numbers: { a: 5, b: 3 }, valid_tool: { region: "eu" } };

function make(version) {
  const client = new Client({ name: "nakoso-test", version: "1" }, {
    capabilities: { elicitation: { form: { applyDefaults: true } }, sampling: {}, roots: {} },
    ...version === NEW && { versionNegotiation: { mode: "auto" } },
  });
  client.setRequestHandler("elicitation/create", () => ({ action: "accept", content: {} }));
  client.setRequestHandler("sampling/createMessage", () => ({ role: "assistant", model: "none", content: { type: "text", text: "No." } }));
  client.setRequestHandler("roots/list", () => ({ roots: [] }));
  return client;
}

async function use(client, context) {
  const offered = client.getServerCapabilities() ?? {};
  const { tools } = await client.listTools();
  const echo = tools.find((t) => t.name === "json_schema_echo") && { name: "json_schema_echo", arguments: { schema: tools[0].inputSchema } };
  const calls = context.toolCalls ?? [...tools.filter((t) => t.name !== echo?.name).map((t) => ({ name: t.name, arguments: sensible[t.name] ?? {} })), ...echo ? [echo] : []];
  for (const call of calls) await client.callTool(call);
  if (offered.resources) for (const { uri } of (await client.listResources()).resources) await client.readResource({ uri });
  if (offered.prompts) for (const { name } of (await client.listPrompts()).prompts) await client.getPrompt({ name });
}

// Who authorizes: a program by its own credentials, or a person.
function whoever(scenario, { client_id, client_secret, private_key_pem, signing_algorithm, issuer }) {
  if (scenario === "auth/client-credentials-basic") return new ClientCredentialsProvider({ clientId: client_id, clientSecret: client_secret });
  if (scenario === "auth/client-credentials-jwt")
    return new PrivateKeyJwtProvider({ clientId: client_id, privateKey: private_key_pem, algorithm: signing_algorithm ?? "ES256" });
  const registered = issuer && { client_id, client_secret, issuer };
  return new Person({ registered, clientMetadataUrl: "https://conformance-test.local/client-metadata.json" });
}

// One run of a scenario against `url`; `headers` are for a gateway that knows the client by its key.
async function play({ scenario, version, context }, url, headers) {
  const what = (client) => use(client, context);
  if (scenario.startsWith("auth/") && !headers) {
    return withConsent(url, whoever(scenario, context), () => make(version), what);
  }
  const client = make(version);
  await client.connect(new StreamableHTTPClientTransport(new URL(url), headers && { requestInit: { headers } }));
  try { await what(client); } finally { await client.close(); }
}

const freePort = () => new Promise((done) => {
  const s = listen().listen(0, "127.0.0.1", () => { const { port } = s.address(); s.close(() => done(port)); });
});
const answers = (port) => new Promise((done) => {
  const s = connect(port, "127.0.0.1").on("connect", () => { s.destroy(); done(true); }).on("error", () => done(false));
});

// What an operator does who puts the gateway in front of such a server: reads the server's metadata and names the same
// authorization server and scopes at the gateway; or registers the gateway itself there, as the client with a secret.
async function protection(url, at, { client_id, client_secret }, file) {
  const answer = await fetch(url, { method: "POST", headers: { "content-type": "application/json", accept: "application/json, text/event-stream" },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "tools/list", params: {} }) });
  const { resourceMetadataUrl, scope } = extractWWWAuthenticateParams(answer);
  const metadata = await discoverOAuthProtectedResourceMetadata(url, { resourceMetadataUrl });
  const issuer = metadata.authorization_servers[0];
  if (client_secret) {
    writeFileSync(file("secret"), client_secret, { mode: 0o600 });
    return { upstream: `, oauth: {token_url: "${issuer}/token", client_id: "${client_id}", client_secret: "file:secret", resource: "${url}"}` };
  }
  const unused = generateKeyPairSync("ec", { namedCurve: "P-256" }).publicKey.export({ format: "jwk" }); // the suite signs nothing
  writeFileSync(file("jwks.json"), JSON.stringify({ keys: [{ ...unused, kid: "unused", alg: "ES256", use: "sig" }] }));
  return {
    identity: `, issuers: [{issuer: "${issuer}", audience: nakoso, jwks: "file:jwks.json"}]`,
    endpoint: `, resource: "${at}", authorization_servers: ["${issuer}"], scopes: ${JSON.stringify((scope ?? metadata.scopes_supported?.join(" "))?.split(" ") ?? [])}`,
  };
}

async function through(run) {
  const house = mkdtempSync(join(directory, "gateway-")), file = (name) => join(house, name);
  const own = await freePort(), at = `http://localhost:${own}/mcp`, { origin, pathname } = new URL(run.url);
  const { upstream = "", identity = "", endpoint = "" } = run.scenario.startsWith("auth/") ? await protection(run.url, at, run.context, file) : {};
  mkdirSync(file("policies"));
  writeFileSync(file("policies/all.cedar"), '@id("all") permit (principal, action, resource);');
  copyFileSync(join(directory, "keys.jsonl"), file("keys.jsonl"));
  writeFileSync(file("nakoso.yaml"), `listen: [{address: "127.0.0.1:${own}"}]
upstreams: [{name: suite, dialect: mcp, url: "${origin}", path: "${pathname}"${upstream}}]
models: []
mcp: [{path: /mcp, servers: [suite], prefix: off, unapproved: decide${endpoint}}]
identity: {keys: keys.jsonl${identity}}
policy: {directory: policies}
audit: {directory: audit, checkpoint: 1s}
grace: 10ms
`);
  const log = openSync(file("log"), "a");
  const gateway = spawn(nakoso, ["run", "-c", file("nakoso.yaml")], { stdio: ["ignore", log, log] });
  const ended = new Promise((done) => gateway.on("exit", done));
  try {
    for (let left = 400; !(await answers(own)); left--) {
      if (left === 0 || gateway.exitCode !== null) throw new Error(`the gateway does not start: ${house}/log`);
      await sleep(25);
    }
    return await play(run, at, endpoint ? undefined : { authorization: `Bearer ${key}` });
  } finally {
    gateway.kill();
    await ended;
  }
}

// The suite runs all its scenarios at once; a few at a time is what two processors can do.
let free = 4;
const waiting = [];
async function taking(turn) {
  if (free === 0) await new Promise((done) => waiting.push(done));
  else free--;
  try { return await turn(); } finally {
    if (waiting.length) waiting.shift()();
    else free++;
  }
}

createServer(async (req, res) => {
  const { pathname, searchParams } = new URL(req.url, "http://x");
  const { scenario, version, url, context } = Object.fromEntries(searchParams);
  const run = { scenario, version, url, context: context ? JSON.parse(context) : {} };
  try {
    await taking(() => (pathname === "/through" ? through(run) : play(run, url)));
    res.end();
  } catch (e) {
    console.error(`${pathname} ${scenario}: ${e?.stack ?? e}`);
    res.writeHead(500).end(`${e}\n`);
  }
}).listen(Number(port), "127.0.0.1");
