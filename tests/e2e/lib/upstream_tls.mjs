// SPDX-License-Identifier: Apache-2.0
// upstream_tls.mjs PORT CERTIFICATE KEY [CLIENT_CA]: a model API over TLS that says which name was asked for and, with
// CLIENT_CA, whose certificate was shown: "hi NAME CLIENT". TLS_MAX in the environment is the newest version it speaks.
import https from 'node:https';
import fs from 'node:fs';

const [port, cert, key, ca] = process.argv.slice(2);
const options = { cert: fs.readFileSync(cert), key: fs.readFileSync(key) };
if (ca) Object.assign(options, { ca: fs.readFileSync(ca), requestCert: true, rejectUnauthorized: true });
if (process.env.TLS_MAX) options.maxVersion = process.env.TLS_MAX;
https
  .createServer(options, (req, res) => {
    req.resume();
    req.on('end', () => {
      const name = req.socket.servername || '-', client = req.socket.getPeerCertificate()?.subject?.CN ?? '-';
      res.setHeader('content-type', 'application/json');
      res.end(JSON.stringify({ id: 'c', object: 'chat.completion', created: 1, model: 'echo', choices: [{ index: 0, message: { role: 'assistant', content: `hi ${name} ${client} ${req.headers['proxy-authorization'] ?? ''}` }, finish_reason: 'stop' }] }));
    });
  })
  .listen(Number(port));
