// SPDX-License-Identifier: Apache-2.0
// collector.mjs PORT DIRECTORY: an OTLP/HTTP collector that decodes with the code that OpenTelemetry generates from its
// .proto files. Each request is a file raw-N (its bytes as they came) and a line of requests.jsonl: {path, headers, status,
// body}, the body decoded with times as strings and ids in hexadecimal. GET /say?status=503&retry=1&delay=MS&partial=N&times=N
// says how the next requests are answered; GET /state tells how many there were. With CERTIFICATE and KEY in the environment it speaks TLS.
import http from 'node:http';
import https from 'node:https';
import fs from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const { opentelemetry } = require('@opentelemetry/otlp-transformer/build/src/generated/root.js');
const [port, directory] = process.argv.slice(2);
const { trace, metrics, logs } = opentelemetry.proto.collector;
const kinds = {
  '/v1/traces': [trace.v1.ExportTraceServiceRequest, trace.v1.ExportTraceServiceResponse, 'rejectedSpans'],
  '/v1/metrics': [metrics.v1.ExportMetricsServiceRequest, metrics.v1.ExportMetricsServiceResponse, 'rejectedDataPoints'],
  '/v1/logs': [logs.v1.ExportLogsServiceRequest, logs.v1.ExportLogsServiceResponse, 'rejectedLogRecords'],
};
let said = {}, count = 0, taken = 0;

const plain = (x) => JSON.parse(JSON.stringify(x, (k, v) => (v?.type === 'Buffer' ? Buffer.from(v.data).toString('hex') : v)));

// The JSON form is read as the specification says, into the same messages: ids are hexadecimal, not base64.
function fromJson(text, Request) {
  const hex = (k, v) => (/^(traceId|spanId|parentSpanId)$/.test(k) && typeof v === 'string' ? Buffer.from(v, 'hex').toString('base64') : v);
  const message = Request.fromObject(JSON.parse(text, hex));
  const wrong = Request.verify(message);
  if (wrong) throw new Error(wrong);
  return message;
}

function decode(type, body, Request) {
  const message = type === 'application/json' ? fromJson(body.toString('utf8'), Request) : Request.decode(body);
  return plain(Request.toObject(message, { longs: String, bytes: Buffer, enums: Number }));
}

function answer(req, res, Response, rejected) {
  const json = req.headers['content-type'] === 'application/json';
  const partial = said.partial ? { partialSuccess: { [rejected]: Number(said.partial), errorMessage: 'some are bad' } } : {};
  const out = json ? Buffer.from(JSON.stringify(Response.toObject(Response.fromObject(partial), { longs: String })))
    : Buffer.from(Response.encode(Response.fromObject(partial)).finish());
  res.writeHead(200, { 'content-type': req.headers['content-type'], 'content-length': out.length });
  res.end(out);
}

const secure = process.env.CERTIFICATE && { cert: fs.readFileSync(process.env.CERTIFICATE), key: fs.readFileSync(process.env.KEY) };
const server = (handler) => (secure ? https.createServer(secure, handler) : http.createServer(handler));
server((req, res) => {
  const url = new URL(req.url, 'http://x');
  if (url.pathname === '/say') { said = Object.fromEntries(url.searchParams); return res.end('ok\n'); }
  if (url.pathname === '/state') return res.end(JSON.stringify({ count, taken }));
  const pieces = [];
  req.on('data', (p) => pieces.push(p));
  req.on('end', async () => {
    const body = Buffer.concat(pieces), prefix = process.env.PREFIX ?? '';
    const kind = kinds[url.pathname.startsWith(prefix) ? url.pathname.slice(prefix.length) : ''];
    fs.writeFileSync(`${directory}/raw-${count++}`, Buffer.concat([Buffer.from(`${req.url} ${JSON.stringify(req.headers)}\n`), body]));
    const line = { path: url.pathname, headers: req.headers, bytes: body.length, status: Number(said.status ?? 200) };
    try {
      line.body = decode(req.headers['content-type'], body, kind[0]);
    } catch (e) {
      line.status = 400;
      line.wrong = String(e);
    }
    if (said.delay) await new Promise((r) => setTimeout(r, Number(said.delay)));
    fs.appendFileSync(`${directory}/requests.jsonl`, JSON.stringify(line) + '\n');
    const { retry, times } = said;
    if (line.status === 200) { taken++; answer(req, res, kind[1], kind[2]); } else {
      res.writeHead(line.status, retry ? { 'retry-after': retry } : {});
      res.end('no');
    }
    if (times && Number(times) <= 1) said = {};
    else if (times) said.times = Number(times) - 1;
  });
}).listen(Number(port), '127.0.0.1');
