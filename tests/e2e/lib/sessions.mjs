// SPDX-License-Identifier: Apache-2.0
// sessions.mjs URL KEY COUNT [SESSION]: COUNT requests, each on a TLS connection of its own that offers the session of
// the one before. Prints how many were resumed and by how many gates they were answered (a request id begins with its
// gate's number); keeps the last session in the file SESSION, and begins with what is there.
import https from 'node:https';
import fs from 'node:fs';

const [base, key, count, file] = process.argv.slice(2);
const gates = new Set();
let session = file && fs.existsSync(file) ? fs.readFileSync(file) : undefined;
let resumed = 0;

function once() {
  return new Promise((resolve, reject) => {
    const body = JSON.stringify({ model: 'echo', messages: [{ role: 'user', content: 'x' }] });
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${key}` };
    const req = https.request(new URL('/v1/chat/completions', base), { method: 'POST', agent: false, session, headers }, (res) => {
      resumed += res.socket.isSessionReused() ? 1 : 0;
      gates.add(res.headers['x-request-id'].slice(0, 8));
      res.resume();
      res.on('end', () => (res.statusCode === 200 ? resolve() : reject(new Error(`status ${res.statusCode}`))));
    });
    req.on('socket', (s) => s.on('session', (got) => (session = got)));
    req.on('error', reject);
    req.end(body);
  });
}

for (let i = 0; i < Number(count); i++) await once();
if (file) fs.writeFileSync(file, session);
console.log(`${resumed} resumed, ${gates.size} gates`);
