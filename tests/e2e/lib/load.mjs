// SPDX-License-Identifier: Apache-2.0
// load.mjs BASE KEY SECONDS CONNECTIONS OUT: sends chat completions over keep-alive connections, each with a
// text of its own that the upstream must echo, and writes one line for each answer to OUT:
//   <milliseconds> <status or "error"> <request id or "-"> <ok|wrong|->
// "wrong" is an answer with status 200 that is not this request's. Ends with a summary on standard output.
import http from 'node:http';
import https from 'node:https';
import fs from 'node:fs';

const [base, key, seconds, connections, out] = process.argv.slice(2);
const url = new URL('/v1/chat/completions', base);
const web = url.protocol === 'https:' ? https : http;
const agent = new web.Agent({ keepAlive: true, maxSockets: Number(connections) });
const until = Date.now() + Number(seconds) * 1000;
const log = fs.createWriteStream(out);
const counts = {};
let number = 0;

function once() {
  return new Promise((resolve) => {
    const text = `echo-${process.pid}-${number++}`;
    const body = JSON.stringify({ model: 'echo', messages: [{ role: 'user', content: text }] });
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${key}` };
    const done = (status, id, verdict) => {
      counts[status] = (counts[status] ?? 0) + 1;
      if (verdict === 'wrong') counts.wrong = (counts.wrong ?? 0) + 1;
      log.write(`${Date.now()} ${status} ${id ?? '-'} ${verdict}\n`);
      resolve();
    };
    const req = web.request(url, { agent, method: 'POST', headers }, (res) => {
      let data = '';
      res.on('data', (piece) => (data += piece));
      res.on('error', () => done('error', null, '-'));
      res.on('end', () => {
        if (!res.complete) return done('error', null, '-');
        let verdict = '-';
        if (res.statusCode === 200) {
          try {
            verdict = JSON.parse(data).choices[0].message.content.includes(text) ? 'ok' : 'wrong';
          } catch {
            verdict = 'wrong';
          }
        }
        done(res.statusCode, res.headers['x-request-id'], verdict);
      });
    });
    req.setTimeout(5000, () => req.destroy(new Error('timeout')));
    req.on('error', () => done('error', null, '-'));
    req.end(body);
  });
}

async function worker() {
  while (Date.now() < until) {
    const before = counts.error ?? 0;
    await once();
    if ((counts.error ?? 0) > before) await new Promise((r) => setTimeout(r, 10));
  }
}

await Promise.all(Array.from({ length: Number(connections) }, worker));
await new Promise((r) => log.end(r));
agent.destroy();
console.log(JSON.stringify(counts));
