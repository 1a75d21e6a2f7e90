// SPDX-License-Identifier: Apache-2.0
// steady.mjs BASE KEY OUT BUSY CALM STREAMS FRESH: until SIGTERM, over kept-alive connections: BUSY clients that
// ask without a pause, CALM ones that pause for up to 0.7 s or for 2.5 s, STREAMS ones that read event streams to
// their end; and FRESH ones that open a connection for each request. Nothing is tried again. One line for each
// answer goes to OUT:
//   <milliseconds> <status or what went wrong> <request id or "-"> <ok|wrong|cut|-> <busy|calm|stream|fresh>
import http from 'node:http';
import fs from 'node:fs';

const [base, key, out, busy, calm, streams, fresh] = process.argv.slice(2);
const url = new URL('/v1/chat/completions', base);
const log = fs.createWriteStream(out);
const agent = new http.Agent({ keepAlive: true });
const counts = { ok: 0, reused: 0 };
let number = 0, running = true;
process.on('SIGTERM', () => (running = false));

const words = (stream, data) =>
  stream
    ? data.split('\n').filter((l) => l.startsWith('data: {')).map((l) => JSON.parse(l.slice(6)).choices[0]?.delta?.content ?? '').join('')
    : JSON.parse(data).choices[0].message.content;

function verdict(stream, data, text) {
  if (stream && !data.includes('data: [DONE]')) return 'cut';
  try {
    return words(stream, data).includes(text) ? 'ok' : 'wrong';
  } catch {
    return 'wrong';
  }
}

function ask(kind) {
  return new Promise((resolve) => {
    const stream = kind === 'stream';
    const text = `echo-${process.pid}-${number++} one two three four five six seven eight nine ten`;
    const done = (status, id, how) => {
      counts[how] = (counts[how] ?? 0) + 1;
      log.write(`${Date.now()} ${status} ${id ?? '-'} ${how} ${kind}\n`);
      resolve();
    };
    const headers = { 'content-type': 'application/json', authorization: `Bearer ${key}` };
    const req = http.request(url, { agent: kind === 'fresh' ? false : agent, method: 'POST', headers }, (res) => {
      const id = res.headers['x-request-id'];
      let data = '';
      res.on('data', (piece) => (data += piece));
      res.on('error', (e) => done(e.code ?? 'error', id, 'cut'));
      res.on('end', () => done(res.statusCode, id, res.complete ? verdict(stream, data, text) : 'cut'));
    });
    req.setTimeout(20000, () => req.destroy(new Error('timeout')));
    req.on('error', (e) => done(e.code ?? e.message, null, '-'));
    req.end(JSON.stringify({ model: 'echo', stream, messages: [{ role: 'user', content: text }] }));
    if (req.reusedSocket) counts.reused++;
  });
}

async function client(kind) {
  while (running) {
    await ask(kind);
    const pause = kind === 'calm' ? (Math.random() < 0.8 ? Math.random() * 700 : 2500) : 2;
    await new Promise((r) => setTimeout(r, pause));
  }
}

const clients = (n, kind) => Array.from({ length: Number(n) }, () => client(kind));
const all = { busy, calm, stream: streams, fresh };
await Promise.all(Object.keys(all).flatMap((kind) => clients(all[kind], kind)));
await new Promise((r) => log.end(r));
agent.destroy();
console.log(JSON.stringify(counts));
