// SPDX-License-Identifier: Apache-2.0
// mutate.mjs - texts that are nearly right: a few small changes, most of which break a policy.
const PIECES = ['(', ')', '{', '}', '[', ']', ',', ';', '.', ':', '::', '==', '!=', '=', '<', '<=', '&&', '||', '&', '|', '!', '-', '--', '+', '*', '/', '%', '@', '?', '"', '\\', "'", ' ', '\n', '//', '/*',
  'principal', 'action', 'resource', 'context', 'permit', 'forbid', 'when', 'unless', 'if', 'then', 'else', 'true', 'false', 'in', 'is', 'like', 'has', '__cedar', 'ip("::1")', 'decimal("1.0")', '?principal', '?resource',
  '?x', 'User::"a"', 'Action::"act0"', '"a"', '"*"', '"\\*"', '"\\x41"', '"\\xff"', '"\\u{0}"', '"\\u{d800}"', '"\\q"', '1', '0x1', '9223372036854775807', '9223372036854775808', '1.5', '[]', '{}', '{a: 1, a: 2}', '.a', '["a"]',
  '.contains(1)', '.isEmpty()', '.nothing()', 'nothing(1)', 'a::b', 'é', '鍵', '\u00a0', '\ufeff', '\r', '\t', '\u0000'];

// Words, strings, comments and single characters.
const tokens = (text) => text.match(/"(?:\\.|[^"\\])*"|\/\/[^\n]*|[A-Za-z_0-9]+|\s+|::|==|!=|<=|>=|&&|\|\||./gsu) ?? [];

const isWord = (t) => /^\w+$/.test(t), isString = (t) => t.startsWith('"'), isSpace = (t) => /^\s/.test(t);
// Something of the same kind, which may well fit.
function alike(r, t) {
  if (isSpace(t)) return r.pick(['', ' ', '\n\t', ' // x\n', '\r\n']);
  if (isString(t)) return r.pick(['"a"', '"*"', '"\\u{1f98a}"', '"\\n\\0\\\'"', '""', '"x*\\*"', '"10.0.0.1"']);
  if (isWord(t)) return r.pick(/^\d/.test(t) ? ['0', '00', '9223372036854775807', '12'] : ['a', 'principal', 'resource', 'context', 'true', 'like', 'has', 'permit', '_x']);
  const kin = [['&&', '||'], ['==', '!=', '<', '>=', 'in', '>'], ['+', '-', '*']].find((list) => list.includes(t));
  return r.pick(kin ?? ['&&', '||', '==', '!=', '<', '>=', '+', '-', '*', 'in', ',', '.', t]);
}

export function mutate(r, text) {
  const list = tokens(text);
  for (let n = r.pick([1, 1, 1, 1, 2, 3]); n > 0 && list.length; n--) {
    const at = r.below(list.length);
    const c = r.below(100);
    if (c < 15) list.splice(at, 1);
    else if (c < 50) list[at] = alike(r, list[at]);
    else if (c < 58) list.splice(at, 0, r.pick(PIECES));
    else if (c < 68) list[at] = r.pick(PIECES);
    else if (c < 74) list.splice(at, 0, list[at]);
    else if (c < 85) [list[at], list[r.below(list.length)]] = [list[r.below(list.length)], list[at]];
    else {
      const chars = [...list[at]];
      const k = r.below(chars.length);
      if (r.chance(50)) chars.splice(k, 1);
      else chars[k] = r.pick([...'abAB019_"\\ .:{}*']);
      list[at] = chars.join('');
    }
  }
  return list.join('');
}

// Does a record of the schema name an attribute twice? To cedar-wasm the last one counts; to us it is an error.
export function namesTwice(schema) {
  const open = [new Set()];
  const list = tokens(schema).filter((t) => !isSpace(t) && !t.startsWith('//'));
  for (const [i, t] of list.entries()) {
    const next = list[i + 1] === '?' ? list[i + 2] : list[i + 1];
    if (t === '{') open.push(new Set());
    else if (t === '}') open.pop();
    else if (next === ':' && (isWord(t) || isString(t))) {
      const name = isString(t) ? t.slice(1, -1) : t;
      if (open.at(-1)?.has(name)) return true;
      open.at(-1)?.add(name);
    }
  }
  return false;
}

// The same for JSON: a member renamed, taken out or put elsewhere, a value of another kind. The inside of __entity and
// __extn stays: what is no such escape is a record to cedar-wasm, and an error to us, who take it for a mistake.
export function mutateJson(r, json) {
  const copy = structuredClone(json);
  const places = [];
  const walk = (value) => {
    if (value === null || typeof value !== 'object') return;
    for (const key of Object.keys(value)) {
      if (key === '__entity' || key === '__extn') continue;
      places.push([value, key]);
      walk(value[key]);
    }
  };
  walk(copy);
  for (let n = r.between(1, 2); n > 0 && places.length; n--) {
    const [owner, key] = r.pick(places);
    const [other, name] = r.pick(places);
    const c = r.below(100);
    if (c < 30) Array.isArray(owner) ? owner.splice(Number(key), 1) : delete owner[key];
    else if (c < 50) owner[key] = r.pick([1, 'a', true, [], {}, 'principal', { Var: 'principal' }, { Value: 1 }, { Value: [1, 'a'] }, { Slot: '?principal' }, { type: 'U', id: 'a' }, null, 1.5]);
    else if (c < 65) owner[key] = structuredClone(other[name]);
    else if (!Array.isArray(owner)) {
      const value = owner[key];
      delete owner[key];
      owner[r.pick(['Var', 'Value', '==', '&&', 'in', 'like', 'left', 'right', 'attr', 'arg', 'ip', 'when', 'kind', 'body', 'entity', 'entities', 'op', 'slot', 'entity_type', 'other', 'isEmpty', 'Record', 'Set', 'has', 'is'])] = value;
    }
  }
  return copy;
}

// Has a scope members that its operator does not know? cedar-wasm passes over them; to us they are a restriction that
// somebody meant and that would not hold.
const SCOPES = { All: [], '==': ['entity', 'slot'], in: ['entity', 'entities', 'slot'], is: ['entity_type', 'in'] };
const isOverfull = (scope) => scope?.op in SCOPES && Object.keys(scope).some((name) => name !== 'op' && !SCOPES[scope.op].includes(name));
export const scopeOverfull = (policy) => [policy?.principal, policy?.action, policy?.resource, policy?.principal?.in, policy?.resource?.in].some(isOverfull);

// Is there a method without the object that it is called on? cedar-wasm takes it, though no text can say it.
const METHODS = ['isIpv4', 'isIpv6', 'isLoopback', 'isMulticast', 'isInRange', 'lessThan', 'lessThanOrEqual', 'greaterThan', 'greaterThanOrEqual', 'offset', 'durationSince', 'toDate', 'toTime', 'toMilliseconds', 'toSeconds', 'toMinutes', 'toHours', 'toDays'];
export const methodAlone = (value) =>
  value !== null && typeof value === 'object' && Object.entries(value).some(([key, v]) => (METHODS.includes(key) && Array.isArray(v) && v.length === 0) || methodAlone(v));
