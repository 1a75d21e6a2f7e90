// SPDX-License-Identifier: Apache-2.0
// The hospital's patients API: GET /patients and GET /patients/ID. All persons are invented.
//
//   node patients.mjs [PORT]      (8091)
import { readFileSync } from "node:fs";
import { createServer } from "node:http";

const patients = JSON.parse(readFileSync(new URL("patients.json", import.meta.url), "utf8"));
const port = Number(process.argv[2] ?? 8091);

function answer(request) {
  const [, list, id, more] = new URL(request.url, "http://localhost").pathname.split("/");
  if (request.method !== "GET") return [405, { error: "only GET" }];
  if (list !== "patients" || more !== undefined) return [404, { error: "no such page" }];
  if (!id) return [200, patients.map(({ id, name }) => ({ id, name }))];
  const patient = patients.find((p) => p.id === id);
  return patient ? [200, patient] : [404, { error: "no such patient" }];
}

createServer((request, response) => {
  const [status, body] = answer(request);
  response.writeHead(status, { "content-type": "application/json; charset=utf-8" });
  response.end(JSON.stringify(body) + "\n");
}).listen(port, "127.0.0.1", () => console.log(`patients API on http://127.0.0.1:${port}/patients`));
