// SPDX-License-Identifier: Apache-2.0
// shim.mjs PORT TARGET KEY - hands requests on to 127.0.0.1:TARGET with a key of the gateway's; nothing else is changed.
// The conformance suite has no option to send one.
import { Agent, createServer, request } from "node:http";

const [port, target, key] = process.argv.slice(2);
const agent = new Agent({ keepAlive: true });
createServer((req, res) => {
  const headers = { ...req.headers, authorization: `Bearer ${key}` };
  delete headers.connection;
  const on = request({ agent, host: "127.0.0.1", port: target, method: req.method, path: req.url, headers }, (answer) => {
    res.writeHead(answer.statusCode, answer.headers);
    res.flushHeaders();
    answer.pipe(res);
    answer.on("error", () => res.destroy());
  });
  on.on("error", () => res.destroy());
  res.on("close", () => on.destroy());
  req.pipe(on);
}).listen(Number(port), "127.0.0.1");
