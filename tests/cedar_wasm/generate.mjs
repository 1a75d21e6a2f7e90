// SPDX-License-Identifier: Apache-2.0
// generate.mjs SEED REQUESTS: cases for `nakoso policy test -`, one a line, with the answers of cedar-wasm: at least
// REQUESTS requests, and texts, JSON, schemas and entities that it accepts or refuses. The same SEED makes the same
// cases; a case is called KIND-SEED-NUMBER, and generate.mjs SEED 0 NUMBER makes that one alone.
import cedar from '@cedar-policy/cedar-wasm/nodejs';
import { methodAlone, mutate, mutateJson, namesTwice, scopeOverfull } from './mutate.mjs';
import { Policies } from './policies.mjs';
import { Random } from './random.mjs';
import { World } from './world.mjs';

const [seed, wanted, only] = process.argv.slice(2).map(Number);
const good = (answer) => answer.type === 'success';
let number = 0, requests = 0;

function put(kind, line) {
  process.stdout.write(`${JSON.stringify({ id: `${kind}-${seed}-${number}`, ...line })}\n`);
}

// JavaScript rounds what is beyond 2^53, so such an answer is no answer.
const isExact = (value) =>
  typeof value === 'number' ? Number.isSafeInteger(value) : value === null || typeof value !== 'object' || Object.values(value).every(isExact);

// The JSON form of each policy and template.
function forms(set) {
  const out = {};
  for (const [list, toJson] of [[set.staticPolicies, cedar.policyToJson], [set.templates, cedar.templateToJson]])
    for (const [id, policy] of Object.entries(list)) {
      const answer = toJson(policy);
      if (good(answer) && isExact(answer.json)) out[id] = answer.json;
    }
  return out;
}

function decide(call) {
  const answer = cedar.statefulIsAuthorized(call);
  if (!good(answer)) return null;
  const { decision, diagnostics } = answer.response;
  return { decision, reason: diagnostics.reason, errors: diagnostics.errors.map((e) => e.policyId) };
}

// Requests under the set that was parsed last; with a schema they are validated, too.
function ask(world, count, schema, entities) {
  const out = [];
  for (let i = 0; i < count; i++) {
    const request = world.request(schema ? 5 : 25);
    const call = { ...request, preparsedPolicySetId: 'set', entities };
    const answer = decide(schema ? { ...call, preparsedSchemaName: 'schema', validateRequest: true } : call);
    if (answer) out.push({ ...request, ...(schema ? { validateRequest: true } : {}), ...answer });
    else if (schema) out.push({ ...request, validateRequest: true, valid: false });
    else throw new Error(`cannot be decided: ${JSON.stringify(call)}`);
  }
  requests += out.length;
  return out;
}

// Without a schema actions and their groups are entities like others.
const withActions = (world) =>
  world.entities.concat(world.actions.map((a) => ({ uid: { type: world.actionType(), id: a.id }, attrs: {}, parents: a.in.map((id) => ({ type: world.actionType(), id })) })));

function validation(schema, policies) {
  const answer = cedar.validate({ schema, policies });
  if (!good(answer)) throw new Error(JSON.stringify(answer));
  const ids = [...new Set(answer.validationErrors.map((e) => e.policyId))];
  return { shouldValidate: ids.length === 0, policiesWithValidationErrors: ids };
}

function setCase(r) {
  const world = new World(r);
  const typed = r.chance(60);
  const policies = new Policies(world, typed ? r.pick([0, 0, 1, 4]) : r.pick([3, 10, 30])).set(r.chance(70) ? r.between(1, 12) : r.between(13, 40));
  const parsed = cedar.preparsePolicySet('set', policies);
  if (!good(parsed)) return put('set', { policies, parses: false });
  const schema = world.schemaText();
  const est = forms(policies);
  const hasSchema = typed && good(cedar.preparseSchema('schema', schema));
  if (!hasSchema) {
    if (typed) put('schema', { schema, schemaParses: false });
    const entities = withActions(world);
    return put('set', { policies, est, entities, requests: ask(world, r.between(20, 40), null, entities) });
  }
  const entitiesValid = good(cedar.checkParseEntities({ entities: world.entities, schema }));
  const line = { schema, policies, est, ...validation(schema, policies), entities: world.entities, entitiesValid };
  if (entitiesValid) line.requests = ask(world, r.between(20, 40), schema, world.entities);
  put('set', line);
}

function textCase(r) {
  const policies = new Policies(new World(r), 10);
  const text = mutate(r, Array.from({ length: r.between(1, 2) }, () => policies.policy()).join('\n'));
  const answer = cedar.policySetTextToParts(text);
  const line = { policies: text, parses: good(answer) };
  if (line.parses && answer.policies.length === 1 && answer.policy_templates.length === 0) {
    const form = cedar.policyToJson(text);
    if (good(form) && isExact(form.json)) line.est = { policy0: form.json };
  }
  put('text', line);
}

function jsonCase(r) {
  const form = cedar.policyToJson(new Policies(new World(r), 10).policy());
  if (!good(form) || !isExact(form.json)) return;
  const policies = { staticPolicies: { p: mutateJson(r, form.json) } };
  if (methodAlone(policies) || scopeOverfull(policies.staticPolicies.p)) return;
  let parses;
  try {
    parses = good(cedar.checkParsePolicySet(policies));
  } catch {
    return; // not even a call that wasm understands
  }
  put('json', { policies, parses });
}

function schemaCase(r) {
  const schema = mutate(r, new World(r).schemaText());
  if (!namesTwice(schema)) put('schema', { schema, schemaParses: good(cedar.checkParseSchema(schema)) });
}

function entitiesCase(r) {
  const world = new World(r);
  const entities = world.entities.length ? mutateJson(r, world.entities) : [];
  const schema = r.chance(50) ? world.schemaText() : null;
  if (schema && !good(cedar.checkParseSchema(schema))) return;
  if (!isExact(entities)) return;
  put('entities', { ...(schema ? { schema } : {}), entities, entitiesValid: good(cedar.checkParseEntities(schema ? { entities, schema } : { entities })) });
}

// Each case has a generator of its own, so that one can be made again without those before it.
const kinds = [[40, setCase], [68, textCase], [78, jsonCase], [90, schemaCase], [100, entitiesCase]];
function make() {
  const r = new Random(seed * 1000003 + number);
  const c = r.below(100);
  kinds.find(([upTo]) => c < upTo)[1](r);
}

if (only !== undefined) {
  number = only;
  make();
}
for (; requests < wanted; number++) make();
