// SPDX-License-Identifier: Apache-2.0
// faults.mjs PORT [CERTIFICATE KEY]: an upstream that does what the request's last message says, for
// example "fault reset". It writes to the socket itself, so that it can be as wrong as it likes.
import net from 'node:net';
import tls from 'node:tls';
import fs from 'node:fs';
import zlib from 'node:zlib';

const [port, cert, key] = process.argv.slice(2);
const json = (text) =>
  JSON.stringify({ id: 'c', object: 'chat.completion', created: 1, model: 'm', choices: [{ index: 0, message: { role: 'assistant', content: text }, finish_reason: 'stop' }], usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 } });
const head = (more, status = '200 OK') => `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\n${more}\r\n`;
const whole = (body, more = '') => head(`${more}Content-Length: ${Buffer.byteLength(body)}\r\n`) + body;
const sse = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n';
const chunk = (text) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
const event = (text) => `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta: { content: text }, finish_reason: null }] })}\n\n`;

// Writes `make()` again and again, `total` bytes in all, as fast as the other side takes it.
function pour(s, total, make) {
  let sent = 0;
  const more = () => {
    while (sent < total && !s.destroyed) {
      const piece = make();
      sent += piece.length;
      if (!s.write(piece)) return void s.once('drain', more);
    }
    if (!s.destroyed) s.end();
  };
  more();
}
function trickle(s, text, ms) {
  let i = 0;
  const timer = setInterval(() => {
    if (s.destroyed || i >= text.length) return clearInterval(timer);
    s.write(text[i++]);
  }, ms);
}

const block = Buffer.alloc(65536, 'x');
const GB = 2 ** 30;
const faults = {
  ok: (s) => s.write(whole(json('fine'))),
  stream: (s) => s.write(`${sse}${chunk(event('fine'))}${chunk('data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n')}${chunk('data: [DONE]\n\n')}0\r\n\r\n`),
  reset: (s) => s.resetAndDestroy(),
  close: (s) => s.end(),
  garbage: (s) => s.write('\x16\x03\x01\x02\x00 this is not HTTP\r\n\r\n'),
  'half-head': (s) => s.end('HTTP/1.1 200 OK\r\nContent-Ty'),
  'half-body': (s) => s.end(head('Content-Length: 100\r\n') + '{"id":'),
  'after-head': (s) => s.end(head('Content-Length: 100\r\n')),
  'too-long': (s) => s.write(head('Content-Length: 10\r\n') + json('fine')),
  'too-short': (s) => s.write(head('Content-Length: 10000\r\n') + json('fine')),
  silent: () => {},
  stalled: (s) => s.write(`${sse}${chunk(event('a'))}`),
  'slow-head': (s) => trickle(s, whole(json('fine')), 60),
  'header-bomb': (s) => s.write('HTTP/1.1 200 OK\r\n' + 'X-Bomb: y\r\n'.repeat(100000)),
  'header-long': (s) => s.write('HTTP/1.1 200 OK\r\nX-Bomb: ' + 'y'.repeat(4 << 20)),
  interim: (s) => pour(s, GB, () => 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n'),
  gzip: (s) => {
    const body = zlib.gzipSync(json('fine'));
    s.write(head(`Content-Encoding: gzip\r\nContent-Length: ${body.length}\r\n`));
    s.write(body);
  },
  'gzip-stream': (s) => s.write(sse.replace('\r\n\r\n', '\r\nContent-Encoding: gzip\r\n\r\n') + chunk('xyz') + '0\r\n\r\n'),
  redirect: (s) => s.write(head('Location: http://169.254.169.254/\r\nContent-Length: 0\r\n', '302 Found')),
  huge: (s) => {
    s.write(head(`Content-Length: ${10 * GB}\r\n`) + '{"id":"');
    pour(s, 10 * GB, () => block);
  },
  'huge-event': (s) => {
    s.write(sse + `${(10 * GB).toString(16)}\r\ndata: "`);
    pour(s, 10 * GB, () => block);
  },
  endless: (s) => {
    s.write(sse);
    const piece = chunk(event('x'.repeat(1000))).repeat(32);
    pour(s, 10 * GB, () => piece);
  },
  // A second answer, at once or a moment later, that must not become anybody's.
  twice: (s) => s.write(whole(json('fine')) + whole(json('stolen'))),
  'twice-late': (s) => {
    s.write(whole(json('fine')));
    setTimeout(() => s.write(whole(json('stolen'))), 20);
  },
  'no-content': (s) => s.write(head('Content-Length: 0\r\n', '204 No Content') + whole(json('stolen'))),
  'no-content-body': (s) => s.write(head(`Content-Length: ${json('fine').length}\r\n`, '204 No Content') + json('fine')),
  'not-modified': (s) => s.write(head(`Content-Length: ${json('fine').length}\r\n`, '304 Not Modified') + whole(json('stolen'))),
  'interim-body': (s) => s.write(`HTTP/1.1 100 Continue\r\nContent-Length: 4\r\n\r\nbody${whole(json('stolen'))}`),
  switching: (s) => s.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n${whole(json('stolen'))}`),
  'both-lengths': (s) => s.write(head('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n') + chunk(json('stolen')) + '0\r\n\r\n'),
  'two-lengths': (s) => s.write(whole(json('stolen'), 'Content-Length: 5\r\n')),
  'length-list': (s) => s.write(head(`Content-Length: ${json('stolen').length}, ${json('stolen').length}\r\n`) + json('stolen')),
  'length-tab': (s) => s.write(head(`Content-Length:${json('stolen').length}\t\r\n`) + json('stolen')),
  'coded-chunks': (s) => s.write(head('Transfer-Encoding: gzip, chunked\r\n') + chunk(json('stolen')) + '0\r\n\r\n'),
  'old-chunks': (s) => s.write((head('Transfer-Encoding: chunked\r\n') + chunk(json('stolen')) + '0\r\n\r\n').replace('HTTP/1.1', 'HTTP/1.0')),
  'chunk-extension': (s) => s.write(head('Transfer-Encoding: chunked\r\n') + chunk(json('stolen')).replace('\r\n', ';x=y\r\n') + '0\r\n\r\n'),
  'chunk-lf': (s) => s.write(head('Transfer-Encoding: chunked\r\n') + chunk(json('stolen')).replaceAll('\r\n', '\n') + '0\n\n'),
  'chunk-short': (s) => s.write(`${head('Transfer-Encoding: chunked\r\n')}5\r\n${json('stolen')}\r\n0\r\n\r\n`),
  'trailer-bomb': (s) => s.write(`${head('Transfer-Encoding: chunked\r\n')}${chunk(json('stolen'))}0\r\n${'X-Bomb: y\r\n'.repeat(100000)}`),
  'head-lf': (s) => s.write(whole(json('stolen')).replaceAll('\r\n', '\n')),
  'head-fold': (s) => s.write(whole(json('stolen'), 'X: y\r\n z\r\n')),
  'head-space': (s) => s.write(whole(json('stolen'), 'X : y\r\n')),
  'head-nul': (s) => s.write(whole(json('stolen'), 'X: y\0z\r\n')),
  'no-version': (s) => s.write(`${json('stolen')}\r\n\r\n`),
  trailers: (s) => s.write(`${head('Transfer-Encoding: chunked\r\nTrailer: Content-Length\r\n')}${chunk(json('fine'))}0\r\nContent-Length: 5\r\n\r\n`),
  'until-close': (s) => s.end(head('') + json('fine')),
  'old-until-close': (s) => s.end((head('') + json('fine')).replace('HTTP/1.1', 'HTTP/1.0')),
  interims: (s) => s.write(`HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n`.repeat(8) + whole(json('fine'))),
  // The connection ends behind the answer, although nothing says so.
  'and-closes': (s) => s.end(whole(json('fine'))),
  'bad-status': (s) => s.write('HTTP/1.1 999 Odd\r\nContent-Length: 0\r\n\r\n'),
  full: (s) => s.write(head('Content-Length: 2\r\n', '503 Service Unavailable') + '{}'),
  busy: (s) => s.write(head('Retry-After: 1\r\nContent-Length: 2\r\n', '503 Service Unavailable') + '{}'),
};

function serve(s) {
  let seen = Buffer.alloc(0);
  s.on('error', () => {});
  s.on('data', (piece) => {
    seen = Buffer.concat([seen, piece]);
    const end = seen.indexOf('\r\n\r\n');
    const length = end < 0 ? -1 : Number(/content-length: (\d+)/i.exec(seen.subarray(0, end))?.[1] ?? 0);
    if (end < 0 || seen.length < end + 4 + length) return;
    const name = /fault ([a-z-]+)/.exec(seen.subarray(end).toString())?.[1] ?? 'ok';
    seen = Buffer.alloc(0);
    (faults[name] ?? faults.ok)(s);
  });
}
if (cert) tls.createServer({ cert: fs.readFileSync(cert), key: fs.readFileSync(key) }, serve).listen(Number(port), '127.0.0.1');
else net.createServer(serve).listen(Number(port), '127.0.0.1');
