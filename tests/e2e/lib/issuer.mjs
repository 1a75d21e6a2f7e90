// SPDX-License-Identifier: Apache-2.0
// issuer.mjs PORT: an identity issuer: /jwks, /token?roles=a,b&aud=…&iss=…&exp=SECONDS&scope=…&sub=…, /rotate (a new key, the old one
// goes), /break (the key set is no JSON from now on).
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

http.createServer((req, res) => {
  const url = new URL(req.url, 'http://x');
  if (url.pathname === '/rotate') rotate();
  if (url.pathname === '/break') broken = true;
  if (url.pathname === '/token') return res.end(token(url.searchParams));
  if (url.pathname !== '/jwks') return res.end('ok');
  res.setHeader('content-type', 'application/json');
  res.end(broken ? '{"keys":[' : JSON.stringify({ keys: [{ ...pair.publicKey.export({ format: 'jwk' }), kid: `k${number}`, alg: 'ES256', use: 'sig' }] }));
}).listen(Number(process.argv[2]), '127.0.0.1');
