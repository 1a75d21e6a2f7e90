// SPDX-License-Identifier: Apache-2.0
// proxy.mjs PORT LOG [USER:PASSWORD]: a forward proxy: tunnels by CONNECT, requests in absolute form. What it was asked
// for goes to LOG, a line each. GET /mode/NAME makes it misbehave: refuse, garbage, early, close, silent, old (an answer
// of HTTP/1.0), length (an answer that announces a body), plain (as it should).
import http from 'node:http';
import net from 'node:net';
import fs from 'node:fs';

const [port, log, credential] = process.argv.slice(2);
let mode = 'plain';
const wanted = credential && `Basic ${Buffer.from(credential).toString('base64')}`;
const note = (text) => fs.appendFileSync(log, `${text}\n`);

const server = http.createServer((req, res) => {
  if (req.url.startsWith('/mode/')) { mode = req.url.slice(6); return res.end('ok\n'); }
  note(`${req.method} ${req.url} ${req.headers['proxy-authorization'] ?? '-'}`);
  if (wanted && req.headers['proxy-authorization'] !== wanted) { res.writeHead(407); return res.end(); }
  const { 'proxy-authorization': gone, ...headers } = req.headers;
  const on = http.request(req.url, { method: req.method, headers }, (answer) => {
    res.writeHead(answer.statusCode, answer.headers);
    answer.pipe(res);
  });
  on.on('error', () => res.destroy());
  req.pipe(on);
});

server.on('connect', (req, socket, head) => {
  note(`CONNECT ${req.url} ${req.headers['proxy-authorization'] ?? '-'} ${req.headers.host}`);
  socket.on('error', () => {});
  if (wanted && req.headers['proxy-authorization'] !== wanted) return socket.end('HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n');
  if (mode === 'refuse') return socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 4\r\n\r\nno!\n');
  if (mode === 'garbage') return socket.end('NOT HTTP AT ALL\r\n\r\n');
  if (mode === 'close') return socket.end();
  if (mode === 'silent') return;
  const [host, at] = req.url.split(':');
  const to = net.connect(Number(at), host, () => {
    if (mode === 'early') return socket.write('HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n');
    socket.write(mode === 'old' ? 'HTTP/1.0 200 Connection established\r\nVia: x\r\n\r\n'
      : mode === 'length' ? 'HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n' : 'HTTP/1.1 200 OK\r\n\r\n');
    to.write(head);
    socket.pipe(to).pipe(socket);
  });
  to.on('error', () => socket.destroy());
  socket.on('close', () => to.destroy());
});
server.listen(Number(port), '127.0.0.1');
