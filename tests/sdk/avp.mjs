// SPDX-License-Identifier: Apache-2.0
// avp.mjs - the official client of Amazon Verified Permissions, unmodified but for its endpoint; over HTTP/1.1, and over
// HTTP/2 with its own handler (WAY=h2).
import assert from 'node:assert/strict';
import * as avp from '@aws-sdk/client-verifiedpermissions';
import { NodeHttp2Handler } from '@smithy/node-http-handler';
import { BASE_URL, check, run } from './tap.mjs';

const { ISSUER, STRANGER, WAY, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = process.env;
const credentials = { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY };
const make = (more = {}) => new avp.VerifiedPermissionsClient({
  endpoint: BASE_URL, region: 'eu-west-1', credentials, maxAttempts: 1,
  ...(WAY === 'h2' ? { requestHandler: new NodeHttp2Handler() } : {}), ...more,
});
const client = make();
const ask = (name, input, by = client) => by.send(new avp[`${name}Command`](input));
const user = (entityId) => ({ entityType: 'User', entityId });
const order = (entityId) => ({ entityType: 'Order', entityId });
const action = (actionId) => ({ actionType: 'Action', actionId });
const question = (principal, act, resource, more = {}) => ({ policyStoreId: 'shop', principal: user(principal), action: action(act), resource: order(resource), ...more });
const ids = (r) => r.determiningPolicies.map((p) => p.policyId);
const token = async (q) => (await fetch(`${ISSUER}/token?${new URLSearchParams(q)}`)).text();
async function fails(type, promise) {
  const e = await promise.then(() => assert.fail('it was answered'), (e) => e);
  assert.equal(e.name, type, e.stack);
  assert.equal(e.$metadata.httpStatusCode, 400);
  assert.match(e.$metadata.requestId, /^[0-9a-f]{8}-[0-9a-f]{10}$/);
  return e;
}

check('IsAuthorized: entities of the store', async () => {
  const r = await ask('IsAuthorized', question('alice', 'ReadOrder', '1'));
  assert.deepEqual([r.decision, ids(r), r.errors], ['ALLOW', ['orders.own'], []]);
  const no = await ask('IsAuthorized', question('bob', 'ReadOrder', '1'));
  assert.deepEqual([no.decision, ids(no), no.errors], ['DENY', [], []]);
});
check('IsAuthorized: a list of entities lies over them; the last of several counts', async () => {
  const entityList = [
    { identifier: order('1'), attributes: { owner: { entityIdentifier: user('bob') } } },
    { identifier: user('erin'), parents: [{ entityType: 'Group', entityId: 'team' }] },
    { identifier: { entityType: 'Group', entityId: 'team' }, parents: [{ entityType: 'Group', entityId: 'staff' }] },
    { identifier: order('1'), attributes: { owner: { entityIdentifier: user('frank') } }, tags: { a: { string: 'b' } } },
  ];
  const asked = async (who) => (await ask('IsAuthorized', question(who, 'ReadOrder', '1', { entities: { entityList } }))).decision;
  assert.deepEqual([await asked('alice'), await asked('bob'), await asked('frank'), await asked('erin')], ['DENY', 'DENY', 'ALLOW', 'ALLOW']);
});
check("IsAuthorized: entities in Cedar's JSON", async () => {
  const cedarJson = JSON.stringify([{ uid: { type: 'User', id: 'gina' }, attrs: {}, parents: [{ type: 'Group', id: 'staff' }] }]);
  const r = await ask('IsAuthorized', question('gina', 'ListOrders', '9', { entities: { cedarJson } }));
  assert.deepEqual([r.decision, ids(r)], ['ALLOW', ['orders.staff']]);
});
const context = {
  amount: { long: 99 }, from: { ipaddr: '10.1.2.3' }, due: { datetime: '2026-05-01' }, wait: { duration: '59m' }, rate: { decimal: '2.4' },
  tags: { set: [{ string: 'ok' }, { string: 'ok' }, { boolean: true }] }, nested: { record: { deep: { entityIdentifier: user('carol') } } },
};
check('IsAuthorized: every kind of value in the context, and the same as JSON', async () => {
  const r = await ask('IsAuthorized', question('carol', 'Pay', '1', { context: { contextMap: context } }));
  assert.deepEqual([r.decision, ids(r), r.errors], ['ALLOW', ['context'], []]);
  const more = await ask('IsAuthorized', question('carol', 'Pay', '1', { context: { contextMap: { ...context, amount: { long: 100 } } } }));
  assert.equal(more.decision, 'DENY');
  const extension = (fn, arg) => ({ __extn: { fn, arg } });
  const cedarJson = JSON.stringify({
    amount: 1, from: extension('ip', '10.9.9.9'), due: extension('datetime', '2026-02-01'), wait: extension('duration', '1m'), rate: extension('decimal', '0.1'),
    tags: ['ok'], nested: { deep: { __entity: { type: 'User', id: 'carol' } } },
  });
  assert.equal((await ask('IsAuthorized', question('carol', 'Pay', '1', { context: { cedarJson } }))).decision, 'ALLOW');
});
check('IsAuthorized: errors of policies, a forbid, a link of a template, nobody in particular', async () => {
  const r = await ask('IsAuthorized', question('carol', 'Err', '404'));
  assert.equal(r.decision, 'DENY');
  assert.match(r.errors[0].errorDescription, /policy `errs`/);
  assert.deepEqual(ids(await ask('IsAuthorized', question('mallory', 'ReadOrder', '1'))), ['orders.blocked']);
  assert.deepEqual(ids(await ask('IsAuthorized', question('dave', 'ReadOrder', '7'))), ['share-1']);
  assert.equal((await ask('IsAuthorized', { policyStoreId: 'shop', action: action('ReadOrder') })).decision, 'DENY');
});
check('BatchIsAuthorized: each request comes back with its decision', async () => {
  const requests = ['1', '2', '7'].map((id) => ({ principal: user('alice'), action: action('ReadOrder'), resource: order(id) }));
  const { results } = await ask('BatchIsAuthorized', { policyStoreId: 'shop', requests });
  assert.deepEqual(results.map((r) => r.decision), ['ALLOW', 'DENY', 'DENY']);
  assert.deepEqual(results.map((r) => r.request), requests);
});
check('BatchIsAuthorized: 30 requests, of one principal or one resource', async () => {
  const one = { principal: user('alice'), action: action('ReadOrder'), resource: order('1') };
  assert.equal((await ask('BatchIsAuthorized', { policyStoreId: 'shop', requests: Array(30).fill(one) })).results.length, 30);
  await fails('ValidationException', ask('BatchIsAuthorized', { policyStoreId: 'shop', requests: Array(31).fill(one) }));
  await fails('ValidationException', ask('BatchIsAuthorized', { policyStoreId: 'shop', requests: [one, { ...one, principal: user('bob'), resource: order('2') }] }));
});
check('IsAuthorizedWithToken: claims of an access token are context.token, groups are parents', async () => {
  const accessToken = await token({ roles: 'exporter,staff' });
  const input = { policyStoreId: 'shop', accessToken, action: action('Export'), resource: order('1') };
  const r = await ask('IsAuthorizedWithToken', input);
  assert.deepEqual([r.decision, ids(r), r.principal], ['ALLOW', ['token.access'], user('https://issuer.test|jane')]);
  assert.equal((await ask('IsAuthorizedWithToken', { ...input, accessToken: await token({ roles: 'reader' }) })).decision, 'DENY');
  for (let i = 0; i < 3; i++) assert.equal((await ask('IsAuthorizedWithToken', input)).decision, 'ALLOW');
});
check('IsAuthorizedWithToken: claims of an identity token are attributes', async () => {
  const identityToken = await token({ roles: 'signer', aud: 'shop-client' });
  const r = await ask('IsAuthorizedWithToken', { policyStoreId: 'shop', identityToken, action: action('Sign'), resource: order('1') });
  assert.deepEqual([r.decision, r.principal], ['ALLOW', user('idp|jane')]);
});
check('BatchIsAuthorizedWithToken', async () => {
  const accessToken = await token({ roles: 'exporter' });
  const requests = [{ action: action('Export'), resource: order('1') }, { action: action('Pay'), resource: order('1') }];
  const r = await ask('BatchIsAuthorizedWithToken', { policyStoreId: 'shop', accessToken, requests });
  assert.deepEqual([r.results.map((x) => x.decision), r.principal, r.results[1].request], [['ALLOW', 'DENY'], user('https://issuer.test|jane'), requests[1]]);
});
check('a token that does not hold is refused, and nothing beside it describes its principal', async () => {
  const input = { policyStoreId: 'shop', action: action('Export'), resource: order('1') };
  const good = await token({ roles: 'exporter' });
  const asked = (accessToken, more = {}) => ask('IsAuthorizedWithToken', { ...input, accessToken, ...more });
  await fails('ValidationException', asked(await token({ exp: '-120' })));
  await fails('ValidationException', asked(await token({ aud: 'other' })));
  await fails('ValidationException', asked(await token({ iss: 'https://evil.test' })));
  await fails('ValidationException', asked(`${good.slice(0, -4)}AAAA`));
  await fails('ValidationException', ask('IsAuthorizedWithToken', { ...input, identityToken: good }));
  await fails('ValidationException', ask('IsAuthorizedWithToken', input));
  const jane = user('https://issuer.test|jane');
  for (const entities of [
    { entityList: [{ identifier: jane, parents: [{ entityType: 'Group', entityId: 'staff' }] }] },
    { entityList: [{ identifier: { entityType: 'Group', entityId: 'x' } }] },
    { cedarJson: JSON.stringify([{ uid: { type: 'User', id: 'x' }, attrs: {}, parents: [] }]) },
    { cedarJson: JSON.stringify([{ uid: { __entity: { type: 'Group', id: 'x' } }, attrs: {}, parents: [] }]) },
  ])
    await fails('ValidationException', asked(good, { entities }));
  await fails('ValidationException', asked(good, { context: { contextMap: { token: { record: {} } } } }));
  assert.equal((await asked(good)).decision, 'ALLOW');
});
check('a question that is malformed names the member', async () => {
  const e = await fails('ValidationException', ask('IsAuthorized', question('a', 'b', 'c', { context: { contextMap: { x: { ipaddr: 'nowhere' } } } })));
  assert.equal(e.fieldList[0].path, 'context.contextMap');
  await fails('ValidationException', ask('IsAuthorized', question('a', 'b', 'c', { entities: { entityList: [{ identifier: { entityType: 'Action', entityId: 'x' } }] } })));
  await fails('ValidationException', ask('IsAuthorized', question('a', 'b', 'c', { entities: { cedarJson: '[{"uid":' } })));
});
check('the read operations', async () => {
  const store = await ask('GetPolicyStore', { policyStoreId: 'shop' });
  assert.deepEqual([store.policyStoreId, store.description, store.cedarVersion, store.createdDate instanceof Date], ['shop', 'orders of the shop', 'CEDAR_4', true]);
  assert.deepEqual((await ask('ListPolicyStores', {})).policyStores.map((s) => s.policyStoreId), ['shop']);
  const p = await ask('GetPolicy', { policyStoreId: 'shop', policyId: 'orders.blocked' });
  assert.deepEqual([p.policyType, p.effect, p.principal, p.actions, p.resource], ['STATIC', 'Forbid', user('mallory'), undefined, undefined]);
  assert.equal(p.definition.static.statement, '@id("orders.blocked") forbid (principal == User::"mallory", action, resource);');
  assert.deepEqual((await ask('GetPolicy', { policyStoreId: 'shop', policyId: 'orders.staff' })).actions, [action('ReadOrder'), action('ListOrders')]);
  const link = await ask('GetPolicy', { policyStoreId: 'shop', policyId: 'share-1' });
  assert.deepEqual([link.policyType, link.definition.templateLinked], ['TEMPLATE_LINKED', { policyTemplateId: 'orders.share', principal: user('dave'), resource: order('7') }]);
  const batch = await ask('BatchGetPolicy', { requests: [['shop', 'errs'], ['shop', 'none'], ['hidden', 'errs']].map(([policyStoreId, policyId]) => ({ policyStoreId, policyId })) });
  assert.deepEqual([batch.results.map((r) => r.policyId), batch.errors.map((e) => e.code)], [['errs'], ['POLICY_NOT_FOUND', 'POLICY_STORE_NOT_FOUND']]);
  assert.match((await ask('GetPolicyTemplate', { policyStoreId: 'shop', policyTemplateId: 'orders.share' })).statement, /\?resource/);
  assert.deepEqual((await ask('ListPolicyTemplates', { policyStoreId: 'shop' })).policyTemplates.map((t) => t.policyTemplateId), ['orders.share']);
  const schema = await ask('GetSchema', { policyStoreId: 'shop' });
  assert.deepEqual([Object.keys(JSON.parse(schema.schema)[''].entityTypes).sort(), schema.namespaces], [['Group', 'Order', 'User'], ['']]);
  assert.equal(store.validationSettings.mode, 'STRICT');
  const source = await ask('GetIdentitySource', { policyStoreId: 'shop', identitySourceId: 'ids' });
  assert.deepEqual(source.configuration.openIdConnectConfiguration, {
    issuer: 'https://issuer.test', entityIdPrefix: 'idp', groupConfiguration: { groupClaim: 'roles', groupEntityType: 'Shop::Role' },
    tokenSelection: { identityTokenOnly: { principalIdClaim: 'sub', clientIds: ['shop-client'] } },
  });
  assert.deepEqual((await ask('ListIdentitySources', { policyStoreId: 'shop' })).identitySources.map((s) => s.identitySourceId), ['access', 'ids']);
});
check('ListPolicies: pages and filters', async () => {
  const all = [];
  for await (const page of avp.paginateListPolicies({ client, pageSize: 3 }, { policyStoreId: 'shop' })) all.push(...page.policies.map((p) => p.policyId));
  assert.deepEqual(all, ['orders.own', 'orders.staff', 'orders.blocked', 'context', 'errs', 'token.access', 'token.identity', 'share-1']);
  const by = async (filter) => (await ask('ListPolicies', { policyStoreId: 'shop', filter })).policies.map((p) => p.policyId);
  assert.deepEqual(await by({ policyType: 'TEMPLATE_LINKED' }), ['share-1']);
  assert.deepEqual(await by({ principal: { identifier: user('carol') } }), ['context', 'errs']);
  assert.deepEqual(await by({ principal: { unspecified: true }, policyType: 'STATIC' }), ['orders.own', 'token.access', 'token.identity']);
  await fails('ValidationException', ask('ListPolicies', { policyStoreId: 'shop', nextToken: '3.0000000000000000' }));
});
check('what is not there, what is not permitted, what would change a store', async () => {
  const e = await fails('ResourceNotFoundException', ask('GetPolicy', { policyStoreId: 'shop', policyId: 'none' }));
  assert.deepEqual([e.resourceId, e.resourceType], ['none', 'POLICY']);
  assert.equal((await fails('ResourceNotFoundException', ask('IsAuthorized', { policyStoreId: 'nowhere' }))).resourceType, 'POLICY_STORE');
  await fails('AccessDeniedException', ask('IsAuthorized', { policyStoreId: 'hidden' }));
  await fails('AccessDeniedException', ask('CreatePolicy', { policyStoreId: 'shop', definition: { static: { statement: 'permit(principal,action,resource);' } } }));
  await fails('AccessDeniedException', ask('DeletePolicyStore', { policyStoreId: 'shop' }));
  await fails('UnknownOperationException', ask('ListTagsForResource', { resourceArn: 'arn:aws:x:::y' }));
});
check('keys: another principal, a wrong secret, an unknown one, a clock that is off', async () => {
  const [id, secret] = STRANGER.trim().split(' ').map((w) => w.split('=')[1]);
  const as = (accessKeyId, secretAccessKey, more = {}) => ask('IsAuthorized', { policyStoreId: 'shop' }, make({ credentials: { accessKeyId, secretAccessKey }, ...more }));
  await fails('AccessDeniedException', as(id, secret));
  await fails('UnrecognizedClientException', as(id, AWS_SECRET_ACCESS_KEY));
  await fails('UnrecognizedClientException', as('NKSVAAAAAAAAAAAA', secret));
  await fails('UnrecognizedClientException', as('AKIDEXAMPLE', secret));
  await fails('RequestExpired', as(AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, { systemClockOffset: -16 * 60 * 1000 }));
  await fails('RequestExpired', as(AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, { systemClockOffset: 16 * 60 * 1000 }));
});
check('many at once', async () => {
  const all = await Promise.all(Array.from({ length: 60 }, (_, i) => ask('IsAuthorized', question(i % 2 ? 'alice' : 'bob', 'ReadOrder', '1'))));
  assert.deepEqual(all.map((r) => r.decision), all.map((_, i) => (i % 2 ? 'ALLOW' : 'DENY')));
});

await run('@aws-sdk/client-verifiedpermissions', WAY === 'h2' ? 'http/2' : 'http/1.1');
client.destroy();
process.exit();
