// SPDX-License-Identifier: Apache-2.0
// h2raw.mjs: one request over HTTP/2 with prior knowledge, each byte of its fields as given. A library would not
// send what smuggling needs. HPACK without tables: literals, never indexed (RFC 7541, section 6.2.3).
import net from 'node:net';

const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
const HEADERS = 1, RST_STREAM = 3, SETTINGS = 4, GOAWAY = 7, END_STREAM = 1, END_HEADERS = 4;

export function frame(type, flags, stream, payload) {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

function literal(text) {
  const bytes = Buffer.from(text, 'latin1');
  if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes]);
  const size = [127];
  for (let n = bytes.length - 127; ; n >>= 7) {
    size.push(n < 128 ? n : (n & 127) | 128);
    if (n < 128) break;
  }
  return Buffer.concat([Buffer.from(size), bytes]);
}

const block = (fields) => Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0x10]), literal(name), literal(value)]));

function frames(m) {
  const end = m.data.length || m.trailers.length || m.reset ? 0 : END_STREAM;
  const out = [preface, frame(SETTINGS, 0, 0, Buffer.alloc(0)), frame(HEADERS, END_HEADERS | end, 1, block(m.fields))];
  if (m.data.length) out.push(frame(0, m.trailers.length || m.reset ? 0 : END_STREAM, 1, m.data));
  if (m.trailers.length) out.push(frame(HEADERS, END_HEADERS | END_STREAM, 1, block(m.trailers)));
  if (m.reset) out.push(frame(RST_STREAM, 0, 1, Buffer.from([0, 0, 0, 8])));
  return Buffer.concat(out);
}

// What came back on the stream: "200", "400", "404", "answer" (another status), "reset", "goaway", "closed" or
// "silence". These three statuses are in HPACK's static table, so nobody writes them otherwise.
const statuses = { 0x88: '200', 0x8c: '400', 0x8d: '404' };
function status(block) {
  let at = 0;
  while ((block[at] & 0xe0) === 0x20) at++; // a new size of the dynamic table
  return statuses[block[at]] ?? 'answer';
}
function outcome(data) {
  let what = null;
  for (let at = 0; data.length >= at + 9; ) {
    const n = data.readUIntBE(at, 3), type = data[at + 3], flags = data[at + 4], stream = data.readUInt32BE(at + 5);
    if (data.length < at + 9 + n) return null;
    if (type === GOAWAY && data.readUInt32BE(at + 13) !== 0) return 'goaway';
    if (type === RST_STREAM && stream === 1) return what ?? 'reset';
    if (type === HEADERS && stream === 1) what = what && what !== 'answer' ? what : status(data.subarray(at + 9, at + 9 + n)); // 100 may come first
    if (type <= 1 && stream === 1 && flags & END_STREAM) return what;
    at += 9 + n;
  }
  return null;
}

export function send(port, m, patience) {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    let data = Buffer.alloc(0);
    const done = (what) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(what);
    };
    const timer = setTimeout(() => done('silence'), patience);
    socket.on('connect', () => socket.write(frames(m)));
    socket.on('data', (piece) => {
      data = Buffer.concat([data, piece]);
      const what = outcome(data);
      if (what) setTimeout(() => done(what), 20);
    });
    socket.on('error', () => done('closed'));
    socket.on('close', () => done('closed'));
  });
}

// Does a server speak HTTP/2 with prior knowledge? Its first frame is SETTINGS then.
export function speaks(port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.on('connect', () => socket.write(Buffer.concat([preface, frame(SETTINGS, 0, 0, Buffer.alloc(0))])));
    socket.on('data', (d) => { resolve(d.length > 3 && d[3] === SETTINGS && d[0] === 0); socket.destroy(); });
    socket.on('error', () => resolve(false));
    socket.on('close', () => resolve(false));
  });
}
