// SPDX-License-Identifier: Apache-2.0
// load_h2.mjs BASE KEY SECONDS STREAMS CONNECTIONS OUT: as load.mjs, over HTTP/2: STREAMS requests at a time on
// CONNECTIONS connections. A connection that says goodbye gets no new request, as the protocol has it; what is open
// on it must come to its end. What Node had not sent yet when the goodbye came, it calls refused; that is asked again.
// The same lines in OUT, and a summary with the numbers of goodbyes and of what was asked again.
import fs from 'node:fs';
import http2 from 'node:http2';

const [base, key, seconds, streams, connections, out] = process.argv.slice(2);
const until = Date.now() + Number(seconds) * 1000;
const log = fs.createWriteStream(out);
const counts = { goodbyes: 0, again: 0 };
const sessions = [];
let number = 0;

function session(i) {
  if (sessions[i] && !sessions[i].closed && !sessions[i].destroyed) return sessions[i];
  const s = (sessions[i] = http2.connect(base));
  s.on('error', () => {});
  s.on('goaway', () => counts.goodbyes++);
  return s;
}

function once(i) {
  return new Promise((resolve) => {
    const text = `echo-${process.pid}-${number++}`;
    const stream = session(i).request({
      ':method': 'POST', ':path': '/v1/chat/completions', 'content-type': 'application/json', authorization: `Bearer ${key}`,
    });
    let status = 'error', id = '-', data = '', ended = false;
    stream.on('response', (h) => ([status, id] = [h[':status'], h['x-request-id']]));
    stream.on('data', (piece) => (data += piece));
    stream.on('end', () => (ended = true));
    stream.on('error', () => (ended = false));
    stream.setTimeout(5000, () => stream.close(http2.constants.NGHTTP2_CANCEL));
    stream.on('close', () => {
      let verdict = '-';
      if (stream.rstCode === http2.constants.NGHTTP2_REFUSED_STREAM) {
        counts.again++;
        return resolve(once(i));
      }
      if (!ended || stream.rstCode !== 0) status = 'error';
      if (status === 200) {
        try {
          verdict = JSON.parse(data).choices[0].message.content.includes(text) ? 'ok' : 'wrong';
        } catch {
          verdict = 'wrong';
        }
      }
      counts[status] = (counts[status] ?? 0) + 1;
      log.write(`${Date.now()} ${status} ${id} ${verdict}\n`);
      resolve();
    });
    stream.end(JSON.stringify({ model: 'echo', messages: [{ role: 'user', content: text }] }));
  });
}

async function worker(_, i) {
  while (Date.now() < until) {
    const before = counts.error ?? 0;
    await once(i % Number(connections));
    if ((counts.error ?? 0) > before) await new Promise((r) => setTimeout(r, 10));
  }
}

await Promise.all(Array.from({ length: Number(streams) }, worker));
await new Promise((r) => log.end(r));
sessions.forEach((s) => s.destroy());
console.log(JSON.stringify(counts));
