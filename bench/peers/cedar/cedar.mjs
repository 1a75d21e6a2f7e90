// SPDX-License-Identifier: Apache-2.0
// cedar.mjs CASE DIRECTORY: the reference implementation on a case that `build/bench/cedar dump` wrote: every decision must
// be the same, and how long one takes. Policies are parsed once (statefulIsAuthorized); entities have to come with each
// call: all of them, and, as a careful caller would do, those of the request alone with their ancestors.
import { readFileSync } from 'node:fs';
import cedar from '@cedar-policy/cedar-wasm/nodejs';

const [name, directory] = process.argv.slice(2);
const read = (file) => readFileSync(`${directory}/${file}`, 'utf8');
const entities = JSON.parse(read('entities.json'));
const requests = read('requests.jsonl').trim().split('\n').map((line) => JSON.parse(line));
const key = (uid) => `${uid.type}::${uid.id}`;
const known = new Map(entities.map((entity) => [key(entity.uid), entity]));
const BUDGET_MS = 4000;

function slice(uids) {
  const found = new Map();
  for (const waiting = uids.slice(); waiting.length > 0;) {
    const uid = waiting.pop();
    const entity = known.get(key(uid));
    if (!entity || found.has(key(uid))) continue;
    found.set(key(uid), entity);
    waiting.push(...entity.parents);
    for (const value of Object.values(entity.attrs)) if (value.__entity) waiting.push(value.__entity);
  }
  return [...found.values()];
}

function call(request, whole) {
  const principal = { type: 'User', id: request.principal };
  const resource = { type: 'Doc', id: request.resource };
  return {
    principal, resource, action: { type: 'Action', id: request.action },
    context: { mfa: request.mfa, address: '10.0.0.1' },
    preparsedPolicySetId: name, entities: whole ? entities : slice([principal, resource]),
  };
}

function measure(whole) {
  const times = [];
  let wrong = 0;
  const end = performance.now() + BUDGET_MS;
  for (let i = 0; i < requests.length && (performance.now() < end || i < 5); i++) {
    const one = call(requests[i], whole);
    const start = performance.now();
    const answer = cedar.statefulIsAuthorized(one);
    times.push(performance.now() - start);
    wrong += answer.type !== 'success' || (answer.response.decision === 'allow') !== requests[i].allow;
  }
  times.sort((a, b) => a - b);
  const at = (part) => (times[Math.floor((times.length - 1) * part)] * 1000).toFixed(0);
  return `p50 ${at(0.5)} us, p99 ${at(0.99)} us, ${times.length} decisions, ${wrong} differ`;
}

const start = performance.now();
const parsed = cedar.preparsePolicySet(name, { staticPolicies: read('policies.cedar') });
if (parsed.type !== 'success') throw new Error(JSON.stringify(parsed));
const loaded = performance.now() - start;
console.log(`cedar-wasm ${name}: the request's entities: ${measure(false)}`);
console.log(`cedar-wasm ${name}: all entities:           ${measure(true)}; policies loaded in ${loaded.toFixed(1)} ms`);
