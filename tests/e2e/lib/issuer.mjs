// SPDX-License-Identifier: Apache-2.0
// issuer.mjs PORT: an identity issuer: /jwks, /token?roles=a,b&aud=…&iss=…&exp=SECONDS&scope=…&sub=…, /rotate (a new key, the old one
// goes), /break (the key set is no JSON from now on). And, as http://127.0.0.1:PORT, an authorization server for clients that find it by
// themselves: metadata (RFC 8414), POST /register, GET /authorize (everybody consents), POST /token (code with PKCE, for `resource`).
// /for?aud=… issues for that one from now on, whatever is asked for; /asked is what was asked for, one JSON a line.
import http from 'node:http';
import crypto from 'node:crypto';

let number = 0, pair, broken = false;
const rotate = () => { number++; pair = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' }); };
rotate();
const b64 = (x) => Buffer.from(typeof x === 'string' ? x : JSON.stringify(x)).toString('base64url');

function token(q) {
  const now = Math.floor(Date.now() / 1000);
  const head = b64({ alg: 'ES256', typ: 'JWT', kid: `k${number}` });
  const body = b64({
    iss: q.get('iss') ?? 'https://issuer.test', aud: q.get('aud') ?? 'nakoso', sub: q.get('sub') ?? 'jane', iat: now - 60,
    exp: now + Number(q.get('exp') ?? 600), roles: (q.get('roles') ?? '').split(','),
    ...(q.get('scope') ? { scope: q.get('scope') } : {}), ...(q.get('scp') ? { scp: q.get('scp').split(' ') } : {}),
  });
  const signature = crypto.sign('sha256', Buffer.from(`${head}.${body}`), { key: pair.privateKey, dsaEncoding: 'ieee-p1363' });
  return `${head}.${body}.${signature.toString('base64url')}`;
}

const self = `http://127.0.0.1:${process.argv[2]}`, codes = new Map(), asked = [];
let audience;
const json = (res, value, status = 200) => { res.writeHead(status, { 'content-type': 'application/json' }); res.end(JSON.stringify(value)); };
async function body(req) {
  const parts = [];
  for await (const part of req) parts.push(part);
  return Buffer.concat(parts).toString();
}
async function authorization(req, res, url) {
  const q = url.searchParams;
  if (url.pathname === '/.well-known/oauth-authorization-server')
    return json(res, { issuer: self, authorization_endpoint: `${self}/authorize`, token_endpoint: `${self}/token`, registration_endpoint: `${self}/register`,
      response_types_supported: ['code'], code_challenge_methods_supported: ['S256'], token_endpoint_auth_methods_supported: ['none'],
      authorization_response_iss_parameter_supported: true });
  if (url.pathname === '/register') return json(res, { ...JSON.parse(await body(req)), client_id: 'registered', token_endpoint_auth_method: 'none' }, 201);
  if (url.pathname === '/authorize') {
    const code = crypto.randomUUID(), back = new URL(q.get('redirect_uri'));
    codes.set(code, q);
    asked.push({ at: 'authorize', resource: q.get('resource'), scope: q.get('scope') });
    for (const [name, value] of Object.entries({ code, state: q.get('state'), iss: self })) if (value) back.searchParams.set(name, value);
    res.writeHead(302, { location: back.href });
    return res.end();
  }
  const form = new URLSearchParams(await body(req)), grant = codes.get(form.get('code'));
  codes.delete(form.get('code'));
  const proof = crypto.createHash('sha256').update(form.get('code_verifier') ?? '').digest('base64url');
  if (!grant || grant.get('code_challenge') !== proof || grant.get('resource') !== form.get('resource')) return json(res, { error: 'invalid_grant' }, 400);
  asked.push({ at: 'token', resource: form.get('resource'), scope: grant.get('scope') });
  const claims = new URLSearchParams({ iss: self, aud: audience ?? form.get('resource'), scope: grant.get('scope') ?? '' });
  return json(res, { access_token: token(claims), token_type: 'Bearer', expires_in: 600, scope: grant.get('scope') ?? undefined });
}

http.createServer((req, res) => {
  const url = new URL(req.url, 'http://x');
  if (url.pathname === '/rotate') rotate();
  if (url.pathname === '/break') broken = true;
  if (url.pathname === '/token' && req.method === 'GET') return res.end(token(url.searchParams));
  if (['/.well-known/oauth-authorization-server', '/register', '/authorize', '/token'].includes(url.pathname)) return authorization(req, res, url);
  if (url.pathname === '/asked') return res.end(asked.splice(0).map((a) => `${JSON.stringify(a)}\n`).join(''));
  if (url.pathname === '/for') audience = url.searchParams.get('aud') ?? undefined;
  if (url.pathname !== '/jwks') return res.end('ok');
  res.setHeader('content-type', 'application/json');
  res.end(broken ? '{"keys":[' : JSON.stringify({ keys: [{ ...pair.publicKey.export({ format: 'jwk' }), kid: `k${number}`, alg: 'ES256', use: 'sig' }] }));
}).listen(Number(process.argv[2]), '127.0.0.1');
