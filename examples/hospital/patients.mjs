// SPDX-License-Identifier: Apache-2.0
// The hospital's patients, as agents reach them. All persons are invented. It shows everything to everybody who asks:
// who may see what is decided in front of it.
//
//   node patients.mjs [PORT]      (8091)
//
//   GET /patients, GET /patients/ID     plain HTTP, what an agent's action group calls
//   POST /mcp                           the same as two tools of MCP (2025-11-25, without sessions)
import { readFileSync } from "node:fs";
import { createServer } from "node:http";

const read = (name) => JSON.parse(readFileSync(new URL(name, import.meta.url), "utf8"));
const patients = read("patients.json");
const tools = read("tools.json").tools.filter((tool) => tool.server === "ehr").map(({ server, sha256, approved, ...definition }) => definition);
const port = Number(process.argv[2] ?? 8091);
const find = (id) => patients.find((patient) => patient.id === String(id));

function answer(request) {
  const [, list, id, more] = new URL(request.url, "http://localhost").pathname.split("/");
  if (request.method !== "GET") return [405, { error: "only GET" }];
  if (list !== "patients" || more !== undefined) return [404, { error: "no such page" }];
  if (!id) return [200, patients.map(({ id, name }) => ({ id, name }))];
  const patient = find(decodeURIComponent(id));
  return patient ? [200, patient] : [404, { error: "no such patient" }];
}

// The result of a tool: as a structure, and as text for clients that know no structures.
const result = (value) => ({ content: [{ type: "text", text: JSON.stringify(value, null, 2) }], structuredContent: value });
const run = {
  get_patient: ({ id }) => {
    const patient = find(id);
    return patient ? result(patient) : { content: [{ type: "text", text: "There is no such patient." }], isError: true };
  },
  list_patients: () => result({ patients: patients.map(({ id, name }) => ({ id, name })) }),
};

// One message of JSON-RPC; undefined: there is nothing to answer.
function say({ id, method, params = {} }) {
  if (id === undefined) return undefined;
  const ok = (value) => [200, { jsonrpc: "2.0", id, result: value }];
  const no = (code, message) => [200, { jsonrpc: "2.0", id, error: { code, message } }];
  switch (method) {
    case "initialize":
      return ok({ protocolVersion: "2025-11-25", capabilities: { tools: {} }, serverInfo: { name: "patients", version: "1" } });
    case "ping":
      return ok({});
    case "tools/list":
      return ok({ tools });
    case "tools/call":
      return Object.hasOwn(run, params.name) ? ok(run[params.name](params.arguments ?? {})) : no(-32602, "there is no such tool");
    default:
      return no(-32601, "there is no such method");
  }
}

function send(response, [status, body]) {
  response.writeHead(status, { "content-type": "application/json" });
  response.end(JSON.stringify(body) + "\n");
}

createServer((request, response) => {
  if (request.url !== "/mcp") return send(response, answer(request));
  if (request.method !== "POST") return response.writeHead(405, { allow: "POST" }).end();
  let text = "";
  request.setEncoding("utf8").on("data", (piece) => (text += piece)).on("end", () => {
    try {
      const said = say(JSON.parse(text));
      return said ? send(response, said) : response.writeHead(202).end();
    } catch {
      return send(response, [400, { jsonrpc: "2.0", id: null, error: { code: -32700, message: "this is no JSON" } }]);
    }
  });
}).listen(port, "127.0.0.1", () => console.log(`patients on http://127.0.0.1:${port}/patients and /mcp`));
