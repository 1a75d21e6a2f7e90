// SPDX-License-Identifier: Apache-2.0
// cedar_data.mjs DIRECTORY: what was recorded beside upstream's tests, as lines for `nakoso policy test`: verdicts of
// the validator for each policy, entity and request, JSON forms of policies and schemas. DIRECTORY holds corpus-tests,
// corpus-tests-validation, corpus-tests-json-schemas, validate-testdata, entity-parsing-testdata and policy-est.jsonl
// as they were unpacked. JSON goes through as text: JavaScript would round large numbers.
import fs from 'node:fs';
import path from 'node:path';

const dir = process.argv[2];
const text = (...names) => fs.readFileSync(path.join(dir, ...names), 'utf8');
const json = (...names) => JSON.parse(text(...names));
const put = (id, members) => console.log(`{${[['id', JSON.stringify(id)], ...members].map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(',')}}`);
const oneLine = (t) => t.replace(/[\n\r]+/g, ' '); // between the tokens of JSON alone: strings escape theirs
const exists = (...names) => fs.existsSync(path.join(dir, ...names));

// The verdicts are those of 4.10. Since then it is a warning that no action fits a policy, no error.
const moved = 'unable to find an applicable action given the policy scope constraints';
function invalidPolicies(validation) {
  const isInvalid = ([, verdict]) => !verdict.strict && !verdict.strictErrors?.every((e) => e.endsWith(moved));
  return Object.entries(validation.policyValidation.perPolicy).filter(isInvalid).map(([id]) => id);
}

// Each element of a JSON array of objects as text, without a number being touched.
function elements(list) {
  const out = [];
  let depth = 0, from = 0, quoted = false;
  for (let i = 0; i < list.length; i++) {
    const c = list[i];
    if (quoted) {
      if (c === '\\') i++;
      else if (c === '"') quoted = false;
    } else if (c === '"') quoted = true;
    else if (c === '{' || c === '[') {
      if (++depth === 2) from = i;
    } else if (c === '}' || c === ']') {
      if (depth-- === 2) out.push(list.slice(from, i + 1));
    }
  }
  return out;
}

function verdicts(id, folder, validation) {
  const test = json(folder, `${id}.json`);
  for (const name of ['schema', 'policies', 'entities']) test[name] = test[name].replace(/^testdata\//, `${folder}/`);
  const schema = JSON.stringify(text(test.schema));
  const invalid = invalidPolicies(validation);
  put(`${id} policies`, [['schema', schema], ['policies', JSON.stringify(text(test.policies))], ['shouldValidate', invalid.length === 0], ['policiesWithValidationErrors', JSON.stringify(invalid)]]);
  const wrong = validation.entityValidation?.perEntity ?? {};
  for (const one of elements(text(test.entities))) {
    const uid = JSON.parse(one).uid.__entity ?? JSON.parse(one).uid;
    const verdict = wrong[`${uid.type}::${uid.id}`];
    if (verdict) put(`${id} entity ${uid.id}`, [['schema', schema], ['entities', `[${oneLine(one)}]`], ['entitiesValid', !verdict.errors?.length]]);
  }
  (validation.requestValidation ?? []).forEach((verdict, i) => {
    if (!verdict.strict) put(`${id} request ${i}`, [['schema', schema], ['requests', JSON.stringify([{ ...test.requests[i], validateRequest: true, valid: false }])]]);
  });
}

for (const [recorded, folder] of [['corpus-tests-validation', 'corpus-tests'], ['validate-testdata', 'validate-testdata']])
  for (const name of fs.readdirSync(path.join(dir, recorded)).filter((n) => n.endsWith('.validation.json')).sort()) {
    const id = name.slice(0, -'.validation.json'.length);
    verdicts(id, folder, json(recorded, name));
  }
for (const name of fs.readdirSync(path.join(dir, 'entity-parsing-testdata')).filter((n) => n.endsWith('.parsing.json')).sort()) {
  const id = name.slice(0, -'.parsing.json'.length);
  const test = json('entity-parsing-testdata', `${id}.json`);
  const parsing = json('entity-parsing-testdata', name);
  const schema = JSON.stringify(text('entity-parsing-testdata', test.schema));
  const all = text('entity-parsing-testdata', test.entities);
  put(`${id} entities`, [['schema', schema], ['entities', oneLine(all)], ['entitiesValid', parsing.allEntities.success]]);
  for (const one of elements(all)) {
    const uid = JSON.parse(one).uid;
    const verdict = parsing.perEntity?.[`${uid?.type}::${uid?.id}`];
    if (verdict) put(`${id} entity ${uid.id}`, [['schema', schema], ['entities', `[${oneLine(one)}]`], ['entitiesValid', verdict.success]]);
  }
}
for (const name of fs.readdirSync(path.join(dir, 'corpus-tests-json-schemas')).sort()) {
  const id = name.slice(0, -'.cedarschema.json'.length);
  put(`${id} schema`, [['schema', JSON.stringify(text('corpus-tests', `${id}.cedarschema`))], ['schemaJson', oneLine(text('corpus-tests-json-schemas', name))]]);
}
// A JSON form with numbers beyond 2^53 was recorded rounded: nothing can be compared with it.
const isExact = (value) =>
  typeof value === 'number' ? Number.isSafeInteger(value) : value === null || typeof value !== 'object' || Object.values(value).every(isExact);
for (const line of text('policy-est.jsonl').split('\n').filter(Boolean)) {
  const { test, est } = JSON.parse(line);
  if (exists('corpus-tests', `${test}.cedar`) && isExact(est)) put(`${test} form`, [['policies', JSON.stringify(text('corpus-tests', `${test}.cedar`))], ['est', JSON.stringify({ policy0: est })]]);
}
