// SPDX-License-Identifier: Apache-2.0
// upstream_tls.mjs PORT CERTIFICATE KEY: a model API over TLS that always says "hi".
import https from 'node:https';
import fs from 'node:fs';

const [port, cert, key] = process.argv.slice(2);
https
  .createServer({ cert: fs.readFileSync(cert), key: fs.readFileSync(key) }, (req, res) => {
    req.resume();
    req.on('end', () => {
      res.setHeader('content-type', 'application/json');
      res.end(JSON.stringify({ id: 'c', object: 'chat.completion', created: 1, model: 'echo', choices: [{ index: 0, message: { role: 'assistant', content: 'hi' }, finish_reason: 'stop' }] }));
    });
  })
  .listen(Number(port));
