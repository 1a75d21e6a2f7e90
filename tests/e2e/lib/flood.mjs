// SPDX-License-Identifier: Apache-2.0
// flood.mjs URL KEY SECONDS: opens TLS connections without pause, each with a full handshake, from a process of its own,
// while one client asks over a connection that stands. Prints how many handshakes there were and the client's
// milliseconds: median, 99th percentile, worst, and how many answers were not 200.
import https from 'node:https';
import tls from 'node:tls';
import { fork } from 'node:child_process';

const [base, key, seconds] = process.argv.slice(2);
const url = new URL('/v1/chat/completions', base);
const until = Date.now() + Number(seconds) * 1000;

if (process.argv[5] === 'flood') {
  let done = 0;
  const one = () => {
    if (Date.now() > until) return;
    const s = tls.connect({ host: url.hostname, port: url.port, ciphers: 'ECDHE-RSA-AES128-GCM-SHA256', maxVersion: 'TLSv1.2', servername: 'one.example', rejectUnauthorized: false });
    s.on('secureConnect', () => { done++; s.destroy(); });
    s.on('error', () => {});
    s.on('close', one);
  };
  for (let i = 0; i < 200; i++) one();
  setTimeout(() => { process.send(done); process.exit(0); }, Number(seconds) * 1000 + 200);
} else {
  const child = fork(process.argv[1], [base, key, seconds, 'flood']);
  const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
  const times = [];
  let bad = 0, handshakes = 0;
  child.on('message', (n) => (handshakes = n));
  const once = () => new Promise((resolve) => {
    const from = performance.now();
    const req = https.request(url, { agent, method: 'POST', headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` } }, (res) => {
      res.resume();
      res.on('end', () => { times.push(performance.now() - from); bad += res.statusCode !== 200; resolve(); });
    });
    req.on('error', () => { bad++; resolve(); });
    req.end(JSON.stringify({ model: 'echo', messages: [{ role: 'user', content: 'x' }] }));
  });
  while (Date.now() < until) { await once(); await new Promise((r) => setTimeout(r, 5)); }
  await new Promise((r) => child.on('exit', r));
  agent.destroy();
  times.sort((a, b) => a - b);
  const at = (q) => times[Math.min(times.length - 1, Math.floor(times.length * q))].toFixed(1);
  console.log(`${handshakes} handshakes; ${times.length} answers, ms: ${at(0.5)} ${at(0.99)} ${at(1)}; ${bad} bad`);
}
