// SPDX-License-Identifier: Apache-2.0
// clients.mjs upstream PORT: an upstream that streams for ever ("forever"), floods ("flood") or answers, and tells
//   on GET /state how many streams are open and how many bytes it could write.
// clients.mjs play BASE KEY UPSTREAM_PORT: clients that leave and one that does not read; prints "wrong …" for what
//   must not be.
import http from 'node:http';

const [what, ...args] = process.argv.slice(2);
const event = (text) =>
  `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'echo', choices: [{ index: 0, delta: { content: text }, finish_reason: null }] })}\n\n`;

function upstream(port) {
  let open = 0, written = 0, closedAt = 0;
  http.createServer((req, res) => {
    if (req.url === '/state') return res.end(JSON.stringify({ open, written, closedAt }));
    let body = '';
    req.on('data', (d) => (body += d));
    req.on('end', () => {
      if (!body.includes('"stream":true')) {
        res.setHeader('content-type', 'application/json');
        return res.end(JSON.stringify({ id: 'c', object: 'chat.completion', created: 1, model: 'echo', choices: [{ index: 0, message: { role: 'assistant', content: 'hi' }, finish_reason: 'stop' }] }));
      }
      res.writeHead(200, { 'content-type': 'text/event-stream' });
      open++;
      let timer;
      res.on('close', () => { open--; closedAt = Date.now(); clearInterval(timer); });
      if (body.includes('flood')) {
        const big = event('x'.repeat(8000));
        const more = () => { while (!res.destroyed) { written += big.length; if (!res.write(big)) return void res.once('drain', more); } };
        more();
      } else {
        timer = setInterval(() => res.write(event('tick')), 20);
      }
    });
  }).listen(port, '127.0.0.1');
}

const state = (port) => new Promise((resolve, reject) =>
  http.get({ port, path: '/state', agent: false }, (res) => { let d = ''; res.on('data', (x) => (d += x)); res.on('end', () => resolve(JSON.parse(d))); }).on('error', reject));
const sleep = (ms) => new Promise((r) => setTimeout(r, ms));

function stream(base, key, text) {
  return new Promise((resolve, reject) => {
    const body = JSON.stringify({ model: 'echo', stream: true, messages: [{ role: 'user', content: text }] });
    const req = http.request(new URL('/v1/chat/completions', base), { method: 'POST', agent: false, headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` } }, (res) => resolve({ req, res }));
    req.on('error', reject);
    req.end(body);
  });
}

async function play(base, key, port) {
  const times = [];
  for (let i = 0; i < 20; i++) {
    const { req, res } = await stream(base, key, 'forever');
    res.on('error', () => {});
    await new Promise((r) => res.once('data', r));
    const left = Date.now();
    req.destroy();
    for (let k = 0; k < 200 && (await state(port)).open; k++) await sleep(2);
    const s = await state(port);
    if (s.open) console.log(`wrong: the call of a client that left is still open after 400 ms`);
    else times.push(Math.max(0, s.closedAt - left));
  }
  times.sort((a, b) => a - b);
  console.log(`cancelled after ms: median ${times[times.length >> 1]}, most ${times.at(-1)}`);

  const { req, res } = await stream(base, key, 'flood');
  res.on('error', () => {});
  res.pause();
  await sleep(1000);
  const first = (await state(port)).written;
  await sleep(500);
  const second = (await state(port)).written;
  console.log(`a client that does not read: upstream could write ${first} bytes, half a second later ${second}`);
  if (second !== first) console.log('wrong: the upstream is not held back');
  if (first > 24 << 20) console.log('wrong: too much is kept for a client that does not read');
  await sleep(2500);
  if ((await state(port)).open) console.log('wrong: a client that does not read is never cut off');
  req.destroy();
}

if (what === 'upstream') upstream(Number(args[0]));
else await play(...args);
