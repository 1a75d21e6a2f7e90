// SPDX-License-Identifier: Apache-2.0
// upstream_h2.mjs PORT [CERTIFICATE KEY]: a model API that speaks HTTP/2 alone: in the clear by prior knowledge, or by
// ALPN. It echoes the last message; "endless" streams until the client leaves. GET /count tells how many connections
// there were and how many requests at once; GET /goodbye says GOAWAY on all connections, gracefully; GET
// /well tells how often it was asked, GET /open which fields of the last call were not marked as never to be indexed.
import http2 from 'node:http2';
import fs from 'node:fs';

const [port, cert, key] = process.argv.slice(2);
const sessions = new Set();
let connections = 0, now = 0, most = 0, asked = 0, open = 'no call';

function chat(stream, body) {
  const text = JSON.parse(body).messages.at(-1).content;
  if (text === 'endless') {
    stream.respond({ ':status': 200, 'content-type': 'text/event-stream' });
    const event = `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta: { content: 'x'.repeat(4000) }, finish_reason: null }] })}\n\n`;
    const more = () => {
      while (!stream.destroyed && stream.write(event));
    };
    stream.on('drain', more);
    return more();
  }
  stream.respond({ ':status': 200, 'content-type': 'application/json' });
  stream.end(JSON.stringify({ id: 'c', object: 'chat.completion', created: 1, model: 'm', choices: [{ index: 0, message: { role: 'assistant', content: text }, finish_reason: 'stop' }] }));
}

const server = cert ? http2.createSecureServer({ cert: fs.readFileSync(cert), key: fs.readFileSync(key) }) : http2.createServer();
server.on('session', (session) => {
  connections++;
  sessions.add(session);
  session.on('close', () => sessions.delete(session));
  session.on('error', () => {});
});
server.on('stream', (stream, headers) => {
  let body = '';
  most = Math.max(most, ++now);
  stream.on('close', () => now--);
  stream.on('error', () => {});
  if (headers[':path'] === '/count') {
    stream.respond({ ':status': 200 });
    return stream.end(`${connections} ${most}`);
  }
  if (headers[':path'] === '/well') {
    stream.respond({ ':status': 200 });
    return stream.end(String(++asked));
  }
  if (headers[':path'] === '/open') {
    stream.respond({ ':status': 200 });
    return stream.end(open);
  }
  if (headers[':path'] === '/goodbye') {
    for (const s of sessions) if (s !== stream.session) s.close();
    stream.respond({ ':status': 200 });
    return stream.end();
  }
  open = Object.keys(headers).filter((k) => !headers[http2.sensitiveHeaders].includes(k)).join(' ');
  stream.setEncoding('utf8');
  stream.on('data', (piece) => (body += piece));
  stream.on('end', () => chat(stream, body));
});
server.listen(Number(port), '127.0.0.1');
