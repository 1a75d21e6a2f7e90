// SPDX-License-Identifier: Apache-2.0
// recorder.mjs PORT: an upstream that reads bytes, not HTTP as a library likes it: one line of JSON on standard
// output for each request that reached it, with all that is not exactly as it should be under "odd". Answers like
// an OpenAI chat completion that echoes the text.
import net from 'node:net';
import crypto from 'node:crypto';

const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

function readHead(text) {
  const odd = [];
  const [first, ...lines] = text.split('\r\n');
  const [, method, target] = /^([A-Z]+) (\/[\x21-\x7e]*) HTTP\/1\.1$/.exec(first) ?? odd.push(`request line ${JSON.stringify(first)}`) ? /^(\S*) ?(\S*)/.exec(first) : [];
  const headers = {};
  for (const line of lines) {
    const at = line.indexOf(':');
    const name = line.slice(0, at).toLowerCase();
    if (at < 1 || !token.test(name) || /[\x00-\x08\x0a-\x1f\x7f]/.test(line)) odd.push(`header ${JSON.stringify(line)}`);
    if (headers[name] !== undefined) odd.push(`${name} twice`);
    headers[name] = line.slice(at + 1).trim();
  }
  const length = headers['content-length'];
  if (length !== undefined && !/^(0|[1-9]\d*)$/.test(length)) odd.push(`length ${length}`);
  const coding = headers['transfer-encoding'];
  if (coding !== undefined && (coding !== 'chunked' || length !== undefined)) odd.push('framing');
  return { method, target, headers, odd, length: Number(length ?? 0), chunked: coding !== undefined };
}

// The body behind the head: [bytes, where the next request begins], or null when it is not whole yet.
function readBody(head, data) {
  if (!head.chunked) return data.length < head.length ? null : [data.subarray(0, head.length), head.length];
  const pieces = [];
  for (let at = 0; ; ) {
    const line = data.indexOf('\r\n', at);
    if (line < 0) return null;
    const size = data.toString('latin1', at, line);
    if (!/^[0-9a-f]+$/i.test(size)) head.odd.push(`chunk size ${JSON.stringify(size)}`);
    const n = parseInt(size, 16) || 0;
    at = line + 2 + n + 2;
    if (data.length < at) return null;
    if (n === 0) return [Buffer.concat(pieces), at];
    pieces.push(data.subarray(line + 2, line + 2 + n));
  }
}

function answer(socket, body) {
  let content = '';
  try {
    content = JSON.parse(body).messages.at(-1).content;
  } catch {
    content = 'no JSON';
  }
  const text = JSON.stringify({ id: 'x', object: 'chat.completion', choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }] });
  socket.write(`HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\n\r\n${text}`);
}

net.createServer((socket) => {
  let data = Buffer.alloc(0);
  socket.on('error', () => {});
  socket.on('data', (piece) => {
    data = Buffer.concat([data, piece]);
    for (;;) {
      const end = data.indexOf('\r\n\r\n');
      if (end < 0) return;
      const head = readHead(data.toString('latin1', 0, end));
      const body = readBody(head, data.subarray(end + 4));
      if (!body) return;
      data = data.subarray(end + 4 + body[1]);
      const sha256 = crypto.createHash('sha256').update(body[0]).digest('hex');
      console.log(JSON.stringify({ method: head.method, target: head.target, headers: head.headers, sha256, bytes: body[0].length, body: body[0].toString('latin1'), odd: head.odd }));
      answer(socket, body[0]);
    }
  });
}).listen(Number(process.argv[2]), '127.0.0.1');
