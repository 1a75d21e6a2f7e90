// SPDX-License-Identifier: Apache-2.0
// world.mjs - a schema by chance, entities and requests that mostly keep to it. A type is {k: 'Long' | 'String' |
// 'Bool' | 'ipaddr' | 'decimal' | 'datetime' | 'duration'}, {k: 'Set', of}, {k: 'Entity', name} or {k: 'Record',
// attrs: {name: {type, required}}}.

const SCALARS = ['Long', 'String', 'Bool', 'ipaddr', 'decimal', 'datetime', 'duration'];
const NAMES = ['a', 'b', 'role', 'n', 'flag', 'tags', 'principal', 'in', 'if', 'a b', '名前', 'q"x', 'back\\slash', '', 'type', 'x-y'];
const WORDS = ['', 'a', 'ab', 'abc', 'doctor', 'タグ', 'x*y', 'a"b', 'ab\nc', '\u0000', '🦊', "it's", '\\'];
export const IDS = ['a', 'b', 'c', 'd', 'e', 'f 1', '"q"', '鍵', ''];
export const EXT_ARGS = {
  ipaddr: ['10.0.0.1', '10.0.0.0/8', '127.0.0.1', '::1', '2001:db8::/32', '2001:db8::1', '224.0.0.1', '0.0.0.0/0', 'ff00::1', '192.168.1.7/24'],
  decimal: ['0.0', '1.5', '-1.5', '1.2345', '922337203685477.5807', '-922337203685477.5808', '100.0001', '-0.0001'],
  datetime: ['2024-01-01', '1970-01-01', '2024-02-29T12:34:56Z', '2024-02-29T12:34:56.789Z', '2024-01-01T00:00:00+0530', '1969-12-31T23:59:59.999Z', '9999-12-31', '0001-01-01'],
  duration: ['1d', '0ms', '-1d2h', '1h30m', '500ms', '-1ms', '1d2h3m4s5ms', '106751991167d'],
};
export const EXT_FN = { ipaddr: 'ip', decimal: 'decimal', datetime: 'datetime', duration: 'duration' };
export const LONGS = [0, 1, 2, 3, -1, -7, 10, 100, 9007199254740991, -9007199254740991];
const RESERVED = new Set(['true', 'false', 'if', 'then', 'else', 'in', 'like', 'has', 'is', '__cedar']);

// A string literal of Cedar.
export function quote(s) {
  const escapes = { '\n': '\\n', '\r': '\\r', '\t': '\\t', '\\': '\\\\', '"': '\\"', '\0': '\\0' };
  return `"${s.replace(/[\n\r\t\\"\0]/g, (c) => escapes[c])}"`;
}
export const isName = (s) => /^[A-Za-z_][A-Za-z0-9_]*$/.test(s) && !RESERVED.has(s);
export const uidText = (u) => `${u.type}::${quote(u.id)}`;

export class World {
  constructor(r) {
    this.r = r;
    this.namespace = r.chance(30) ? r.pick(['Org', 'A::B']) : '';
    const n = r.between(2, 5);
    this.types = Array.from({ length: n }, (_, i) => ({ name: this.qualify(`T${i}`), parents: [], attrs: {}, tags: null, ids: null }));
    for (const t of this.types) this.describe(t);
    this.actions = Array.from({ length: r.between(1, 5) }, (_, i) => ({ id: r.chance(15) ? `do ${i}` : `act${i}`, in: [], applies: null }));
    this.actions.forEach((a, i) => this.apply(a, i));
    if (!this.actions.some((a) => a.applies)) this.actions[0].applies = this.application();
    this.entities = this.populate();
  }
  qualify(name) {
    return this.namespace ? `${this.namespace}::${name}` : name;
  }
  actionType() {
    return this.qualify('Action');
  }
  describe(t) {
    const { r } = this;
    if (r.chance(12)) {
      t.ids = r.some(IDS, r.between(1, 3));
      return;
    }
    t.parents = this.types.filter((o) => r.chance(o === t ? 40 : 30)).map((o) => o.name);
    for (const name of r.some(NAMES, r.between(0, 5))) t.attrs[name] = { type: this.type(2), required: r.chance(65) };
    if (r.chance(35)) t.tags = this.type(1);
  }
  type(depth) {
    const { r } = this;
    const c = r.below(100);
    if (depth > 0 && c < 15) return { k: 'Set', of: this.type(depth - 1) };
    if (depth > 0 && c < 28) {
      const attrs = {};
      for (const name of r.some(NAMES, r.between(0, 3))) attrs[name] = { type: this.type(depth - 1), required: r.chance(60) };
      return { k: 'Record', attrs };
    }
    if (c < 45) return { k: 'Entity', name: r.pick(this.types).name };
    return { k: r.pick(SCALARS) };
  }
  application() {
    const { r } = this;
    const names = this.types.map((t) => t.name);
    const attrs = {};
    for (const name of r.some(NAMES, r.between(0, 4))) attrs[name] = { type: this.type(2), required: r.chance(65) };
    return { principals: r.some(names, r.between(1, 2)), resources: r.some(names, r.between(1, 3)), context: { k: 'Record', attrs } };
  }
  apply(a, i) {
    const { r } = this;
    a.in = this.actions.slice(0, i).filter(() => r.chance(30)).map((o) => o.id);
    if (r.chance(80)) a.applies = this.application();
  }

  // The schema as text.
  typeText(t) {
    if (t.k === 'Set') return `Set<${this.typeText(t.of)}>`;
    if (t.k === 'Entity') return t.name;
    if (t.k === 'Record') return this.recordText(t.attrs);
    return this.r.chance(10) ? `__cedar::${t.k}` : t.k;
  }
  recordText(attrs) {
    const members = Object.entries(attrs).map(([name, a]) => `${isName(name) && !this.r.chance(10) ? name : quote(name)}${a.required ? '' : '?'}: ${this.typeText(a.type)}`);
    return `{${members.join(', ')}${members.length && this.r.chance(20) ? ',' : ''}}`;
  }
  schemaText() {
    const { r } = this;
    const lines = [];
    for (const t of this.types) {
      const name = t.name.split('::').pop();
      if (t.ids) {
        lines.push(`entity ${name} enum [${t.ids.map(quote).join(', ')}];`);
        continue;
      }
      const parents = t.parents.length ? ` in [${t.parents.join(', ')}]` : '';
      const shape = Object.keys(t.attrs).length || r.chance(30) ? `${r.chance(30) ? ' =' : ''} ${this.recordText(t.attrs)}` : '';
      lines.push(`entity ${name}${parents}${shape}${t.tags ? ` tags ${this.typeText(t.tags)}` : ''};`);
    }
    for (const a of this.actions) {
      const parents = a.in.length ? ` in [${a.in.map(quote).join(', ')}]` : '';
      const on = a.applies ? ` appliesTo {principal: [${a.applies.principals.join(', ')}], resource: [${a.applies.resources.join(', ')}], context: ${this.recordText(a.applies.context.attrs)}}` : '';
      lines.push(`action ${quote(a.id)}${parents}${on};`);
    }
    const text = lines.join('\n');
    return this.namespace ? `namespace ${this.namespace} {\n${text}\n}` : text;
  }

  // Values in Cedar's JSON. `wrong`: percent of values that are of another type.
  value(t, wrong = 0) {
    const { r } = this;
    if (wrong && r.chance(wrong)) return this.value(this.type(1), 0);
    switch (t.k) {
      case 'Long': return r.pick(LONGS);
      case 'String': return r.pick(WORDS);
      case 'Bool': return r.chance(50);
      case 'Entity': return { __entity: this.someUid(t.name) };
      case 'Set': return Array.from({ length: r.below(4) }, () => this.value(t.of, wrong));
      case 'Record': return this.record(t.attrs, wrong);
      default: return { __extn: { fn: EXT_FN[t.k], arg: r.pick(EXT_ARGS[t.k]) } };
    }
  }
  record(attrs, wrong = 0) {
    const { r } = this;
    const out = {};
    for (const [name, a] of Object.entries(attrs))
      if (wrong && r.chance(wrong) ? r.chance(50) : a.required || r.chance(55)) out[name] = this.value(a.type, wrong);
    if (wrong && r.chance(wrong)) out[r.pick(NAMES)] = this.value(this.type(1));
    return out;
  }
  byName(name) {
    return this.types.find((t) => t.name === name);
  }
  someUid(type) {
    const { r } = this;
    const ids = this.byName(type)?.ids;
    return { type, id: ids && !r.chance(4) ? r.pick(ids) : r.pick(IDS) };
  }
  // Entities: a chain of parents may be deep, but never a circle (a parent comes later in the list).
  populate() {
    const { r } = this;
    const wrong = r.chance(15) ? 8 : 0;
    const deep = r.chance(8);
    const uids = [];
    for (const t of this.types)
      if (!t.ids) for (const id of deep ? Array.from({ length: 20 }, (_, i) => `n${i}`).concat(IDS) : r.some(IDS, r.between(0, 6))) uids.push({ type: t.name, id });
    for (let i = uids.length - 1; i > 0; i--) {
      const k = r.below(i + 1);
      [uids[i], uids[k]] = [uids[k], uids[i]];
    }
    return uids.map((uid, i) => {
      const t = this.byName(uid.type);
      const above = uids.slice(i + 1).filter((u) => t.parents.includes(u.type) || (wrong && r.chance(wrong)));
      for (const p of t.parents) if (this.byName(p).ids) above.push(this.someUid(p));
      const parents = deep ? above.slice(0, 1).concat(r.some(above, r.below(2))) : r.some(above, r.below(3));
      const out = { uid, attrs: this.record(t.attrs, wrong), parents: parents.filter((p, k) => parents.findIndex((o) => o.type === p.type && o.id === p.id) === k) };
      if (t.tags ? r.chance(60) : wrong && r.chance(wrong)) {
        out.tags = {};
        for (const name of r.some(NAMES, r.below(3))) out.tags[name] = this.value(t.tags ?? { k: 'Long' }, wrong);
      }
      return out;
    });
  }
  // A request; its context mostly fits the action.
  request(wrong) {
    const { r } = this;
    const a = r.pick(this.actions.filter((o) => o.applies).concat(r.chance(10) ? this.actions : []));
    const on = a.applies ?? this.application();
    const anyType = () => r.pick(this.types).name;
    const known = this.entities.map((e) => e.uid);
    const uid = (types) => {
      const of = known.filter((u) => types.includes(u.type));
      return of.length && r.chance(80) ? r.pick(of) : this.someUid(r.chance(wrong) ? anyType() : r.pick(types));
    };
    return {
      principal: uid(on.principals),
      action: { type: this.actionType(), id: r.chance(wrong) ? 'other' : a.id },
      resource: uid(on.resources),
      context: this.record(on.context.attrs, r.chance(wrong) ? 20 : 0),
    };
  }
}
