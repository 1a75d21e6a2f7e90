// SPDX-License-Identifier: Apache-2.0
// http2.mjs BASE FIRST: what Node's own HTTP/2 client sees of a gateway at BASE (http: prior knowledge), as TAP
// from number FIRST on. KEY is the API key, MOCK_LOG the log of the mock behind, METRICS the operators' address,
// CA the PEM file to trust (https). The mock says 900000 b to "bulk", 300000 f in small pieces to "flood", and is slow
// when asked to. Limits of the gateway: streams 100, write_timeout 2s, body_bytes 8MiB.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import http2 from 'node:http2';

const [base, first] = process.argv.slice(2);
const { KEY, MOCK_LOG, METRICS, CA } = process.env;
const sleep = (ms) => new Promise((r) => setTimeout(r, ms));
const checks = [];
const check = (name, run) => checks.push([name, run]);

async function connect(options = {}) {
  const session = http2.connect(base, { ...(CA && { ca: fs.readFileSync(CA) }), ...options });
  session.on('error', (e) => (session.failed = e));
  session.on('goaway', (code) => (session.farewell = code));
  await new Promise((resolve, reject) => session.once('remoteSettings', resolve).once('error', reject));
  return session;
}

const chat = (text, more = {}) => JSON.stringify({ model: 'echo', messages: [{ role: 'user', content: text }], ...more });
const head = (more = {}) => ({
  ':method': 'POST', ':path': '/v1/chat/completions', authorization: `Bearer ${KEY}`, 'content-type': 'application/json', ...more,
});

// The request's stream, with .answer: a promise of what came of it.
function open(session, body, headers = {}, options = {}) {
  const stream = session.request(head(headers), options);
  const seen = { status: 0, body: '', ended: false };
  stream.setEncoding('utf8');
  stream.on('response', (h) => Object.assign(seen, { status: h[':status'], headers: h }));
  stream.on('data', (piece) => (seen.body += piece));
  stream.on('end', () => (seen.ended = true));
  stream.on('error', (e) => (seen.error = e.code));
  stream.seen = seen;
  stream.answer = new Promise((r) => stream.on('close', () => r({ ...seen, code: stream.rstCode })));
  if (body !== undefined) stream.end(body);
  return stream;
}
const ask = (session, body, headers) => open(session, body, headers).answer;
const said = (sse) => sse.split('\n').filter((l) => l.startsWith('data: {')).map((l) => JSON.parse(l.slice(6)).choices[0]?.delta?.content ?? '').join('');
const same = (a, b) => assert.ok(a === b, `${a.length} bytes of ${b.length}: ${a.slice(0, 40)}`);
const whole = (a, text) => {
  assert.equal(a.status, 200, a.body);
  same(JSON.parse(a.body).choices[0].message.content, `You said: ${text}`);
};

async function until(what, holds) {
  for (let i = 0; i < 500; i++) {
    if (await holds()) return;
    await sleep(10);
  }
  assert.fail(`${what}: not within 5 seconds`);
}
const left = (text) => {
  const lines = fs.readFileSync(MOCK_LOG, 'utf8').split('\n').filter(Boolean).map((l) => JSON.parse(l));
  const numbers = lines.filter((l) => l.body?.includes(text)).map((l) => l.n);
  return lines.filter((l) => l.left && numbers.includes(l.n)).length;
};
const metric = async (name) => {
  const text = await (await fetch(`${METRICS}/metrics`)).text();
  return Number(text.split('\n').find((l) => l.startsWith(`${name} `))?.split(' ')[1]);
};

check('one request after another on one connection', async () => {
  const s = await connect();
  for (const text of ['one', 'two', '三']) whole(await ask(s, chat(text)), text);
  s.close();
});

check('a list of models: a request without a body', async () => {
  const s = await connect();
  const stream = s.request({ ':path': '/v1/models', authorization: `Bearer ${KEY}` });
  let body = '', status;
  stream.on('response', (h) => (status = h[':status'])).on('data', (d) => (body += d));
  await new Promise((r) => stream.on('close', r));
  assert.equal(status, 200);
  assert.ok(JSON.parse(body).data.length > 0);
  s.close();
});

check('a hundred streamed answers at once, each whole and its own', async () => {
  const s = await connect();
  const texts = Array.from({ length: 100 }, (_, i) => `stream ${i} ${'あ'.repeat(i)} end`);
  const answers = await Promise.all(texts.map((t) => ask(s, chat(t, { stream: true }))));
  answers.forEach((a, i) => {
    assert.equal(a.status, 200);
    assert.equal(said(a.body), `You said: ${texts[i]}`);
    assert.ok(a.body.endsWith('data: [DONE]\n\n'));
  });
  s.close();
});

check('four hundred requests: those above the hundred wait for their turn', async () => {
  const s = await connect();
  const answers = await Promise.all(Array.from({ length: 400 }, (_, i) => ask(s, chat(`many ${i}`))));
  answers.forEach((a, i) => whole(a, `many ${i}`));
  s.close();
});

check('a large body and a large answer, larger than every window', async () => {
  const s = await connect();
  const a = await ask(s, chat(`bulk ${'x'.repeat(3 << 20)}`));
  same(JSON.parse(a.body).choices[0].message.content, 'b'.repeat(900000));
  s.close();
});

check('100-continue is said before the body is sent', async () => {
  const s = await connect();
  const stream = open(s, undefined, { expect: '100-continue' });
  await new Promise((r) => stream.on('continue', r));
  stream.end(chat('continued'));
  whole(await stream.answer, 'continued');
  s.close();
});

check('a refusal comes while the body is still being sent; the connection goes on', async () => {
  const s = await connect();
  const stream = open(s, undefined, { authorization: 'Bearer nobody' });
  for (let i = 0; i < 20; i++) stream.write('x'.repeat(100000));
  const a = await stream.answer;
  assert.equal(a.status, 401);
  assert.ok(JSON.parse(a.body).error.message);
  const large = await open(s, undefined, { 'content-length': String(99 << 20) }).answer;
  assert.equal(large.status, 413);
  whole(await ask(s, chat('after')), 'after');
  s.close();
});

check('a client that resets a stream cancels its call; the others go on', async () => {
  const s = await connect();
  const other = ask(s, chat('slow and steady', { stream: true }));
  const text = `slow and to be reset ${process.pid}`;
  const stream = open(s, chat(text, { stream: true }));
  await until('the stream begins', () => stream.seen.body.length > 0);
  stream.close(http2.constants.NGHTTP2_CANCEL);
  await until('the upstream is left', () => left(text) === 1);
  assert.match(said((await other).body), /twenty$/);
  s.close();
});

check('a client that leaves cancels all of its calls', async () => {
  const s = await connect();
  const text = `slow and to be left ${process.pid}`;
  const streams = Array.from({ length: 5 }, () => open(s, chat(text, { stream: true })));
  await until('all begin', () => streams.every((x) => x.seen.body.length > 0));
  s.destroy();
  await until('all are left', () => left(text) === 5);
});

check('a stream that is not read stops its upstream alone; it goes on where it stopped', async () => {
  const s = await connect({ settings: { initialWindowSize: 65535 } });
  const stream = open(s, chat('flood', { stream: true }));
  stream.pause();
  await sleep(1000);
  const stopped = stream.readableLength;
  whole(await ask(s, chat('beside')), 'beside');
  assert.ok(stopped < 1 << 20, `${stopped} bytes came unread`);
  stream.resume();
  same(said((await stream.answer).body), 'f'.repeat(300000));
  s.close();
});

check('a client that opens streams and never reads is given up, and no one else', async () => {
  const before = await metric('nakoso_client_timeouts_total');
  const s = await connect({ settings: { initialWindowSize: 1000 } });
  const streams = Array.from({ length: 50 }, () => open(s, chat('flood', { stream: true })).pause());
  const t = await connect();
  for (let i = 0; i < 20; i++) {
    whole(await ask(t, chat(`beside ${i}`)), `beside ${i}`);
    await sleep(50);
  }
  await until('all are given up', async () => (await metric('nakoso_client_timeouts_total')) - before === 50);
  assert.ok(streams.length === 50 && !s.closed, 'the connection stays');
  s.destroy();
  t.close();
});

check('a client that opens and resets streams without end loses its connection', async () => {
  const s = await connect();
  const before = await metric('nakoso_http2_refused_connections_total{cause="excess"}');
  for (let i = 0; i < 500 && s.farewell === undefined && !s.destroyed; i++) {
    const stream = s.request(head());
    stream.on('error', () => {});
    stream.close(http2.constants.NGHTTP2_CANCEL);
    if (i % 50 === 49) await sleep(20);
  }
  await until('goodbye', () => s.farewell !== undefined);
  assert.equal(s.farewell, http2.constants.NGHTTP2_ENHANCE_YOUR_CALM);
  assert.equal((await metric('nakoso_http2_refused_connections_total{cause="excess"}')) - before, 1);
  s.destroy();
});

check('nothing remains of all that', async () => {
  await until('no stream, no connection', async () =>
    (await metric('nakoso_http2_streams')) === 0 && (await metric('nakoso_http2_connections')) === 0 &&
    (await metric('nakoso_requests_in_flight')) === 0);
});

let number = Number(first);
for (const [name, run] of checks) {
  try {
    await run();
    console.log(`ok ${number} - http/2: ${name}`);
  } catch (e) {
    console.log(`not ok ${number} - http/2: ${name}`);
    console.log(String(e?.stack ?? e).slice(0, 2000).replace(/^/gm, '#   '));
  }
  number++;
}
process.exit(0);
