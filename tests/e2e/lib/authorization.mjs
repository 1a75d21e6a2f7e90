// SPDX-License-Identifier: Apache-2.0
// authorization.mjs PORT: an authorization server (POST /token, client credentials, token exchange) and an upstream of the
// OpenAI dialect that takes its latest token alone (or any that was exchanged). /mode?is=good|refuse|html|mute and ?expires=SECONDS say how it is; /revoke
// makes the latest token void; /log is what was asked, one JSON a line.
import http from 'node:http';

const tokens = new Set(); // exchanged ones stay good beside each other
let number = 0, valid = null, mode = 'good', expires = 600, log = [];
const basic = (h) => Buffer.from((h ?? '').replace(/^Basic /, ''), 'base64').toString().split(':').map(decodeURIComponent);
async function body(req) {
  const parts = [];
  for await (const part of req) parts.push(part);
  return Buffer.concat(parts).toString();
}
const answer = (res, status, value) => { res.writeHead(status, { 'content-type': 'application/json' }); res.end(JSON.stringify(value)); };

async function token(req, res) {
  const form = Object.fromEntries(new URLSearchParams(await body(req)));
  log.push({ at: 'token', client: basic(req.headers.authorization), ...form });
  if (mode === 'mute') return;
  if (mode === 'html') return res.end('<html>');
  if (mode === 'refuse') return answer(res, 401, { error: 'invalid_client' });
  await new Promise((r) => setTimeout(r, 100));
  const person = form.subject_token ? JSON.parse(Buffer.from(form.subject_token.split('.')[1], 'base64url')).sub : '';
  valid = `issued-${++number}${person && `-for-${person}`}`;
  tokens.add(valid);
  answer(res, 200, { access_token: valid, token_type: 'Bearer', expires_in: expires });
}
async function upstream(req, res) {
  const got = req.headers.authorization;
  log.push({ at: 'upstream', got, headers: Object.keys(req.headers).length, length: (await body(req)).length });
  const good = got === `Bearer ${valid}` || (/-for-/.test(got) && tokens.has(got.slice(7)));
  if (!good) return answer(res, 401, { error: { message: 'no' } });
  answer(res, 200, { id: 'c', object: 'chat.completion', model: 'm', choices: [{ index: 0, message: { role: 'assistant', content: 'ok' }, finish_reason: 'stop' }] });
}
http.createServer((req, res) => {
  const url = new URL(req.url, 'http://x');
  if (url.pathname === '/token') return token(req, res);
  if (url.pathname.startsWith('/v1/')) return upstream(req, res);
  if (url.pathname === '/revoke') { valid = null; tokens.clear(); }
  if (url.pathname === '/log') { res.end(log.map((l) => `${JSON.stringify(l)}\n`).join('')); log = []; return; }
  mode = url.searchParams.get('is') ?? mode;
  expires = Number(url.searchParams.get('expires') ?? expires);
  res.end('ok');
}).listen(Number(process.argv[2]), '127.0.0.1');
