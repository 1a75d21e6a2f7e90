// SPDX-License-Identifier: Apache-2.0
// tool_identity.mjs - a tool server that verifies by npm's jose for whom it is called, as any tool would, with the key
// set that the gateway publishes.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from 'jose';
import { BASE_URL, check, run } from './tap.mjs';

const { TOOL_PORT, KEY, FORGED, ROTATED } = process.env;
const seen = [];
const server = createServer(async (request, response) => {
  let body = '';
  for await (const piece of request) body += piece;
  const message = JSON.parse(body || '{}');
  seen.push({ headers: request.headers, message });
  const result = message.method === 'initialize'
    ? { protocolVersion: '2025-06-18', capabilities: { tools: {} }, serverInfo: { name: 'ehr', version: '1' } }
    : { content: [{ type: 'text', text: 'ok' }] };
  response.writeHead(message.id === undefined ? 202 : 200, { 'content-type': 'application/json' });
  response.end(message.id === undefined ? '' : JSON.stringify({ jsonrpc: '2.0', id: message.id, result }));
});
await new Promise((ready) => server.listen(TOOL_PORT, '127.0.0.1', ready));

const jwks = createRemoteJWKSet(new URL(`${BASE_URL}/.well-known/jwks.json`));
const verify = (token, more = {}) => jwtVerify(token, jwks, { issuer: 'https://gate.test', audience: 'https://ehr.test/mcp', algorithms: ['EdDSA'], ...more });
const ask = async (method, params, headers = {}) => {
  const r = await fetch(`${BASE_URL}/mcp`, {
    method: 'POST', body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
    headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json', accept: 'application/json, text/event-stream', ...headers },
  });
  return { status: r.status, body: await r.text(), headers: r.headers };
};
const initialize = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'test', version: '1' } };
const call = async (headers = {}) => {
  const first = await ask('initialize', initialize);
  assert.equal(first.status, 200, first.body);
  const session = first.headers.get('mcp-session-id');
  const r = await ask('tools/call', { name: 'ehr___get_patient', arguments: { id: 1234 } }, { 'mcp-protocol-version': '2025-06-18', ...(session ? { 'mcp-session-id': session } : {}), ...headers });
  assert.equal(r.status, 200, r.body);
  return seen.at(-1);
};

check('the key set is public and cacheable, and has no secret part', async () => {
  const r = await fetch(`${BASE_URL}/.well-known/jwks.json`);
  const { keys } = await r.json();
  assert.deepEqual([r.status, r.headers.get('content-type'), r.headers.get('cache-control')], [200, 'application/json', 'public, max-age=300']);
  assert.deepEqual([keys.length, ...new Set(keys.flatMap(Object.keys))].sort(), [2, 'alg', 'crv', 'kid', 'kty', 'use', 'x'].sort());
});
check('a tool is told for whom it is called', async () => {
  const { headers, message } = await call();
  assert.equal(message.params.name, 'get_patient');
  const { payload, protectedHeader } = await verify(headers.authorization.replace(/^Bearer /, ''));
  const { iat, nbf, exp, jti, ...rest } = payload;
  assert.deepEqual(rest, { iss: 'https://gate.test', aud: 'https://ehr.test/mcp', sub: 'tester', principal_type: 'User', groups: ['staff'], tool: 'ehr___get_patient' });
  assert.deepEqual([protectedHeader.alg, protectedHeader.typ, exp - iat, nbf], ['EdDSA', 'JWT', 60, iat]);
  assert.ok(Math.abs(iat - Date.now() / 1000) < 60);
  assert.match(jti, /^[0-9a-f]{8}-[0-9a-f]{10}-\d+\.1$/);
  if (ROTATED) assert.equal(protectedHeader.kid, ROTATED);
});
check('each call has a token of its own', async () => {
  const ids = new Set();
  for (let i = 0; i < 3; i++) ids.add((await verify((await call()).headers.authorization.slice(7))).payload.jti);
  assert.equal(ids.size, 3);
});
check('it is good for no other audience, and for nobody who changed it', async () => {
  const token = (await call()).headers.authorization.slice(7);
  await assert.rejects(verify(token, { audience: 'https://other.test' }), /aud/);
  await assert.rejects(verify(`${token.slice(0, -4)}AAAA`), /signature/);
  const [head, , signature] = token.split('.');
  await assert.rejects(verify([head, Buffer.from(JSON.stringify({ sub: 'admin' })).toString('base64url'), signature].join('.')), /signature/);
  assert.ok(decodeProtectedHeader(token).kid);
});
check("nothing that a client sends becomes the tool's identity", async () => {
  const claims = Buffer.from(JSON.stringify({ sub: 'admin', jti: '1' })).toString('base64url');
  const { headers } = await call({ 'nakoso-identity': claims, 'x-nakoso-identity': claims, 'mcp-param-nakoso-identity': claims, 'x-forwarded-user': 'admin' });
  assert.equal((await verify(headers.authorization.slice(7))).payload.sub, 'tester');
  assert.deepEqual(['nakoso-identity', 'x-nakoso-identity', 'x-forwarded-user'].map((h) => headers[h]), [undefined, undefined, undefined]);
  assert.ok(!JSON.stringify(headers).includes(KEY));
});
if (FORGED) check('a token of a key that is not published any more is refused', () => assert.rejects(verify(FORGED)));

await run('jose', 'tool identity');
if (process.env.TOKEN_TO) (await import('node:fs')).writeFileSync(process.env.TOKEN_TO, seen.at(-1).headers.authorization.slice(7));
process.exit();
