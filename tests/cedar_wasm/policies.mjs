// SPDX-License-Identifier: Apache-2.0
// policies.mjs - policies by chance over a world. Expressions are made for a type, so that most of them pass
// validation; `wild` is the percent of places where anything may stand. An expression is {s: its text, p: how tightly
// it binds: 0 if-then-else, 1 ||, 2 &&, 3 relations, 4 + -, 5 *, 6 ! -, 7 member access, 8 the rest}.
import { EXT_ARGS, EXT_FN, isName, quote, uidText } from './world.mjs';

const TEXTS = ['', 'a', 'ab', 'abc', 'doctor', 'タグ', 'x*y', "it's", '🦊'];
const PATTERNS = ['*', 'a*', '*b', 'a*c', '*o*', '', 'abc', 'x\\*y', '*\\**', 'タ*', 'a**b'];
const LONG_TEXTS = ['0', '1', '2', '3', '7', '100', '-1', '-7', '9223372036854775807', '-9223372036854775808', '007'];

export class Policies {
  constructor(world, wild) {
    this.w = world;
    this.r = world.r;
    this.wild = wild;
  }

  // Text of an expression where something that binds as tightly as `need` may stand.
  at(e, need) {
    return e.p < need || this.r.chance(6) ? `(${e.s})` : e.s;
  }
  member(e, name) {
    const object = this.at(e, 7);
    return { s: isName(name) && !this.r.chance(8) ? `${object}.${name}` : `${object}[${quote(name)}]`, p: 7 };
  }
  call(object, name, ...args) {
    return { s: `${this.at(object, 7)}.${name}(${args.map((a) => a.s).join(', ')})`, p: 7 };
  }
  infix(a, op, b, p) {
    const right = p === 3 ? 4 : p + 1; // relations do not chain, the rest leans to the left
    return { s: `${this.at(a, p === 3 ? 4 : p)} ${op} ${this.at(b, right)}`, p };
  }

  // The attributes of a value of this type, or none.
  attrsOf(t) {
    if (t.k === 'Record') return t.attrs;
    return t.k === 'Entity' ? (this.w.byName(t.name)?.attrs ?? {}) : {};
  }
  roots() {
    const { env } = this;
    return [
      { e: { s: 'principal', p: 8 }, t: { k: 'Entity', name: env.principal } },
      { e: { s: 'resource', p: 8 }, t: { k: 'Entity', name: env.resource } },
      { e: { s: 'context', p: 8 }, t: env.context },
    ];
  }
  // All paths of up to three steps: {e, t, guards: `has` tests that make it safe}.
  paths() {
    if (this.env.paths) return this.env.paths;
    const out = [];
    const walk = (node, depth) => {
      out.push(node);
      if (depth === 0 || out.length > 200) return;
      for (const [name, a] of Object.entries(this.attrsOf(node.t))) {
        const guard = a.required ? [] : [{ of: node.e, name }];
        walk({ e: this.member(node.e, name), t: a.type, guards: [...node.guards, ...guard] }, depth - 1);
      }
    };
    for (const root of this.roots()) walk({ ...root, guards: [] }, 3);
    return (this.env.paths = out);
  }
  // `test` behind the `has` tests that it needs; sometimes without them.
  guarded(path, test) {
    const { r } = this;
    if (r.chance(this.wild)) return test;
    let out = test;
    for (const g of [...path.guards].reverse()) out = this.infix(this.has(g.of, g.name), '&&', out, 2);
    return out;
  }
  has(e, name) {
    return { s: `${this.at(e, 4)} has ${isName(name) && !this.r.chance(8) ? name : quote(name)}`, p: 3 };
  }

  same(a, b) {
    return a.k === b.k && (a.k !== 'Entity' || a.name === b.name) && (a.k !== 'Set' || this.same(a.of, b.of)) && a.k !== 'Record';
  }
  // A path without guards of that type, or null.
  pathOf(t) {
    const fit = this.paths().filter((p) => this.same(p.t, t) && (p.guards.length === 0 || this.r.chance(this.wild)));
    return fit.length ? this.r.pick(fit).e : null;
  }

  literal(t) {
    const { r } = this;
    switch (t.k) {
      case 'Long': {
        const s = r.pick(LONG_TEXTS);
        return { s, p: s.startsWith('-') ? 6 : 8 };
      }
      case 'String': return { s: quote(r.pick(TEXTS)), p: 8 };
      case 'Bool': return { s: r.pick(['true', 'false']), p: 8 };
      case 'Entity': return { s: uidText(this.w.someUid(t.name)), p: 8 };
      case 'Set': {
        const items = Array.from({ length: r.between(r.chance(this.wild) ? 0 : 1, 3) }, () => this.make(t.of, 0).s);
        return { s: `[${items.join(', ')}${items.length && r.chance(8) ? ',' : ''}]`, p: 8 };
      }
      case 'Record': {
        const members = Object.entries(t.attrs).filter(([, a]) => a.required || r.chance(50)).map(([name, a]) => `${isName(name) && !r.chance(10) ? name : quote(name)}: ${this.make(a.type, 0).s}`);
        return { s: `{${members.join(', ')}}`, p: 8 };
      }
      default: {
        const arg = r.chance(this.wild / 2) ? r.pick(['', '1', 'x', '1.23456', '300.0.0.1', '2024-13-01', '1d1d']) : r.pick(EXT_ARGS[t.k]);
        return { s: `${EXT_FN[t.k]}(${quote(arg)})`, p: 8 };
      }
    }
  }

  // An expression of type `t`, at most `depth` levels.
  make(t, depth) {
    const { r } = this;
    if (r.chance(this.wild)) return this.make(this.w.type(1), Math.min(depth, 1));
    if (t.k === 'Bool' && depth > 0) return this.bool(depth);
    const path = r.chance(60) ? this.pathOf(t) : null;
    if (path) return path;
    if (depth > 0 && r.chance(12)) return { s: `if ${this.make({ k: 'Bool' }, depth - 1).s} then ${this.make(t, depth - 1).s} else ${this.make(t, depth - 1).s}`, p: 0 };
    return depth > 0 ? this.compute(t, depth) : this.literal(t);
  }
  compute(t, depth) {
    const { r } = this;
    const sub = (k) => this.make({ k }, depth - 1);
    if (t.k === 'Long' && r.chance(60)) {
      if (r.chance(20)) return { s: `${'-'.repeat(r.between(1, 4))}${this.at(sub('Long'), 7)}`, p: 6 };
      if (r.chance(15)) return this.call(sub('duration'), r.pick(['toDays', 'toHours', 'toMinutes', 'toSeconds', 'toMilliseconds']));
      const op = r.pick(['+', '-', '*']);
      return this.infix(sub('Long'), op, sub('Long'), op === '*' ? 5 : 4);
    }
    if (t.k === 'datetime' && r.chance(40)) return r.chance(50) ? this.call(sub('datetime'), 'offset', sub('duration')) : this.call(sub('datetime'), 'toDate');
    if (t.k === 'duration' && r.chance(40)) return r.chance(50) ? this.call(sub('datetime'), 'durationSince', sub('datetime')) : this.call(sub('datetime'), 'toTime');
    return this.literal(t);
  }

  bool(depth) {
    const { r } = this;
    const c = r.below(100);
    if (c < 16) return this.infix(this.make({ k: 'Bool' }, depth - 1), '&&', this.make({ k: 'Bool' }, depth - 1), 2);
    if (c < 28) return this.infix(this.make({ k: 'Bool' }, depth - 1), '||', this.make({ k: 'Bool' }, depth - 1), 1);
    if (c < 35) return { s: `${'!'.repeat(r.chance(85) ? 1 : r.between(2, 4))}${this.at(this.make({ k: 'Bool' }, depth - 1), 7)}`, p: 6 };
    if (c < 39) return { s: `if ${this.bool(depth - 1).s} then ${this.make({ k: 'Bool' }, depth - 1).s} else ${this.make({ k: 'Bool' }, depth - 1).s}`, p: 0 };
    return this.test(depth);
  }
  test(depth) {
    const { r } = this;
    const guarded = this.paths().filter((p) => p.guards.length > 0);
    if (guarded.length && r.chance(30)) {
      const p = r.pick(guarded);
      return this.guarded(p, this.about(p.e, p.t, depth - 1));
    }
    const p = r.pick(this.paths());
    if (p.guards.length && !r.chance(this.wild)) return this.has(p.guards[0].of, p.guards[0].name);
    return this.about(p.e, p.t, depth - 1);
  }
  // A test of the value `e` of type `t`.
  about(e, t, depth) {
    const { r } = this;
    const other = () => this.make(t, Math.max(depth, 0));
    if (r.chance(this.wild)) t = this.w.type(1);
    if (r.chance(15) && t.k !== 'Record') return this.infix(e, r.pick(['==', '!=']), other(), 3);
    switch (t.k) {
      case 'Bool': return e;
      case 'Long': return this.infix(e, r.pick(['<', '<=', '>', '>=', '==', '!=']), other(), 3);
      case 'String': return r.chance(60) ? { s: `${this.at(e, 4)} like "${r.pick(PATTERNS)}"`, p: 3 } : this.infix(e, '==', other(), 3);
      case 'datetime':
      case 'duration': return this.infix(e, r.pick(['<', '<=', '>', '>=']), other(), 3);
      case 'decimal': return this.call(e, r.pick(['lessThan', 'lessThanOrEqual', 'greaterThan', 'greaterThanOrEqual']), other());
      case 'ipaddr': return r.chance(50) ? this.call(e, 'isInRange', other()) : this.call(e, r.pick(['isIpv4', 'isIpv6', 'isLoopback', 'isMulticast']));
      case 'Set': return this.aboutSet(e, t, depth);
      case 'Record': return this.aboutRecord(e, t, depth);
      default: return this.aboutEntity(e, t, depth);
    }
  }
  aboutSet(e, t, depth) {
    const { r } = this;
    const c = r.below(4);
    if (c === 0) return this.call(e, 'isEmpty');
    if (c === 1) return this.call(e, 'contains', this.make(t.of, Math.max(depth, 0)));
    return this.call(e, c === 2 ? 'containsAll' : 'containsAny', this.make(t, Math.max(depth, 0)));
  }
  aboutRecord(e, t, depth) {
    const { r } = this;
    const names = Object.keys(t.attrs);
    if (!names.length || r.chance(20)) return this.has(e, names.length && r.chance(70) ? r.pick(names) : 'other');
    const name = r.pick(names);
    const a = t.attrs[name];
    const inner = this.attrsOf(a.type);
    const next = Object.keys(inner);
    if (isName(name) && next.length && isName(next[0]) && r.chance(50)) {
      const test = { s: `${this.at(e, 4)} has ${name}.${next[0]}`, p: 3 };
      return r.chance(50) ? test : this.infix(test, '&&', this.about(this.member(this.member(e, name), next[0]), inner[next[0]].type, depth - 1), 2);
    }
    const test = this.about(this.member(e, name), a.type, depth - 1);
    return a.required ? test : this.guarded({ guards: [{ of: e, name }] }, test);
  }
  aboutEntity(e, t, depth) {
    const { r } = this;
    const c = r.below(100);
    const kind = this.w.byName(t.name);
    const groups = kind?.parents?.length ? kind.parents : [t.name];
    if (kind?.tags && c < 35) {
      const key = { s: quote(r.pick(['a', 'b', 'role', 'x-y', '名前'])), p: 8 };
      const test = this.call(e, 'hasTag', key);
      if (r.chance(35)) return test;
      const use = this.about(this.call(e, 'getTag', key), kind.tags, depth - 1);
      return r.chance(this.wild) ? use : this.infix(test, '&&', use, 2);
    }
    if (c < 50) return { s: `${this.at(e, 4)} is ${t.name}`, p: 3 };
    if (c < 60) return { s: `${this.at(e, 4)} is ${t.name} in ${this.at(this.literal({ k: 'Entity', name: r.pick(groups) }), 4)}`, p: 3 };
    if (c < 70) return this.infix(e, 'in', this.literal({ k: 'Set', of: { k: 'Entity', name: r.pick(groups) } }), 3);
    if (c < 88) return this.infix(e, 'in', this.make({ k: 'Entity', name: r.pick(groups) }, 0), 3);
    return this.infix(e, '==', this.make(t, 0), 3);
  }

  // Scopes.
  scopeOf(name, type, slot) {
    const { r } = this;
    const groups = this.w.byName(type)?.parents ?? [];
    const group = groups.length && !r.chance(this.wild) ? r.pick(groups) : r.pick(this.w.types).name;
    const uid = (t) => (slot ? `?${name}` : uidText(this.w.someUid(t)));
    const c = slot ? r.between(30, 99) : r.below(100);
    if (this.env.pinned) return c < 65 && !slot ? `${name} is ${type}` : c < 72 && !slot ? `${name} == ${uid(type)}` : `${name} is ${type} in ${uid(group)}`;
    if (c < 30) return name;
    if (c < 50) return slot ? `${name} == ${uid(type)}` : `${name} is ${type}`;
    if (c < 62) return `${name} == ${uid(type)}`;
    if (c < 75) return `${name} is ${type} in ${uid(group)}`;
    return `${name} in ${uid(group)}`;
  }
  actionScope(action) {
    const { r } = this;
    const all = this.w.actions.map((a) => a.id);
    const uid = (id) => uidText({ type: this.w.actionType(), id });
    const c = r.below(100);
    if (this.env.pinned) return c < 80 ? `action == ${uid(action.id)}` : `action in [${uid(action.id)}]`;
    if (c < 30) return 'action';
    if (c < 55) return `action == ${uid(r.chance(this.wild) ? r.pick(all) : action.id)}`;
    if (c < 75) return `action in ${uid(action.in.length && r.chance(60) ? r.pick(action.in) : action.id)}`;
    return `action in [${r.some(all, r.between(r.chance(this.wild) ? 0 : 1, 3)).map(uid).join(', ')}]`;
  }
  // One policy, or a template with the slots named.
  policy(slots = []) {
    const { r } = this;
    const action = r.pick(this.w.actions.filter((a) => a.applies));
    const on = action.applies;
    this.env = { principal: r.pick(on.principals), resource: r.pick(on.resources), context: on.context };
    this.env.pinned = this.wild < 5 && r.chance(80); // for this kind of request alone, so that its attributes are there
    const annotations = r.some(['@note("n")', '@id("other")', '@doc', '@x("\\u{1F98A}")'], r.chance(20) ? r.between(1, 2) : 0).join(r.pick([' ', '\n']));
    const scope = [this.scopeOf('principal', this.env.principal, slots.includes('?principal')), this.actionScope(action), this.scopeOf('resource', this.env.resource, slots.includes('?resource'))];
    const conditions = Array.from({ length: r.pick([0, 1, 1, 1, 2, 3]) }, () => {
      const kind = r.chance(65) ? 'when' : 'unless';
      const comment = r.chance(4) ? ' // a "comment"\n' : ' ';
      return `${kind} {${comment}${this.bool(r.between(1, 4)).s} }`;
    });
    return `${annotations}${annotations ? '\n' : ''}${r.chance(65) ? 'permit' : 'forbid'} (${scope.join(', ')}${r.chance(4) ? ',' : ''})${conditions.length ? ' ' : ''}${conditions.join('\n')};`;
  }
  // A whole set in wasm's own form.
  set(count) {
    const { r } = this;
    const out = { staticPolicies: {}, templates: {}, templateLinks: [] };
    for (let i = 0; i < count; i++) {
      if (r.chance(80)) {
        out.staticPolicies[`p${i}`] = this.policy();
        continue;
      }
      const slots = r.pick([['?principal'], ['?resource'], ['?principal', '?resource']]);
      out.templates[`t${i}`] = this.policy(slots);
      const links = r.below(4);
      for (let k = 0; k < links; k++) {
        const value = (slot) => this.w.someUid(slot === '?principal' && r.chance(70) ? this.env.principal : r.chance(70) ? this.env.resource : r.pick(this.w.types).name);
        out.templateLinks.push({ templateId: `t${i}`, newId: `l${i}-${k}`, values: Object.fromEntries(slots.map((s) => [s, value(s)])) });
      }
    }
    return out;
  }
}
