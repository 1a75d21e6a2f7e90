// SPDX-License-Identifier: Apache-2.0
// Random results of tools, as trees of nodes, with a token in every leaf that can hold one, and random rules about
// them. A node is one of
//
//   { kind: "object", parts: [[name, node], …] }      { kind: "array", parts: [node, …] }
//   { kind: "scalar", json, token }                   a number, true, false, null
//   { kind: "prose", text, token }                    a string that is no JSON
//   { kind: "text", inner: node, indent }             a string that is the JSON text of `inner`
//   { kind: "broken", text, token, suspect }          a string that looks like JSON, more or less, and is none
const names = ["a", "b", "c", "d", "e f", "é", "ssn", "name", "0", "1", 'q"', "x-y", ""];

export function makeResult(d, counter) {
  const token = () => `T${counter.next++}Z`;

  function leaf() {
    const t = token(), digits = t.slice(1, -1);
    switch (d.below(8)) {
      case 0: return { kind: "scalar", json: `70${digits}07`, token: `70${digits}07` };
      case 1: return { kind: "scalar", json: `0.50${digits}05e1`, token: `50${digits}05` };
      case 2: return { kind: "scalar", json: d.pick(["true", "false", "null", "[]", "{}"]) };
      case 3: return broken(t);
      default: return { kind: "prose", text: d.pick(["", "the value: ", "é😀 \n\t", "\\ / \"q\" ", "b: "]) + t, token: t };
    }
  }

  function broken(t) {
    const [text, suspect] = d.pick([
      [`{"a":"${t}","a":1}`, true],
      [`{'ssn': '${t}'}`, true],
      [`{"ssn":"${t}"} {"b":1}`, true],
      [`\ufeff {"b":"${t}"}`, true],
      [`[{"b":"${t}"`, true],
      [` [1, {b:${t}}]`, true],
      [`[12:30] ${t}`, false],
      [`{${t}}`, false],
      [`see {"ssn":"${t}"}`, false],
      ["```json\n{\"ssn\":\"" + t + "\"}\n```", false],
    ]);
    return { kind: "broken", text, token: t, suspect };
  }

  function node(depth, texts) {
    if (depth === 0 || d.chance(0.35)) return leaf();
    if (d.chance(0.15) && texts < 6)
      return { kind: "text", inner: d.chance(0.9) ? container(depth - 1, texts + 1) : text(depth - 1, texts + 1), indent: d.pick([0, 0, 2]) };
    return container(depth - 1, texts);
  }

  function text(depth, texts) {
    return { kind: "text", inner: container(depth, texts + 1), indent: 0 };
  }

  function container(depth, texts) {
    const count = d.below(5);
    if (d.chance(0.35)) return { kind: "array", parts: Array.from({ length: count }, () => node(depth, texts)) };
    const chosen = new Set();
    for (let i = 0; i < count; i++) chosen.add(d.pick(names));
    return { kind: "object", parts: [...chosen].map((name) => [name, node(depth, texts)]) };
  }

  return container(2 + d.below(5), 0);
}

// The JSON of a node. Strings are escaped in more than one way, and blanks stand in places.
export function write(d, node, indent = 0) {
  const string = (text) => {
    const plain = JSON.stringify(text);
    if (!d || !d.chance(0.1)) return plain;
    return '"' + [...text].map((c) => [...Array(c.length).keys()].map((i) => "\\u" + c.charCodeAt(i).toString(16).padStart(4, "0")).join("")).join("") + '"';
  };
  const blank = () => (d && d.chance(0.05) ? d.pick([" ", "\n  ", "\t"]) : indent ? " " : "");
  switch (node.kind) {
    case "scalar": return node.json;
    case "prose": case "broken": return node.token && d && d.chance(0.9) ? JSON.stringify(node.text) : JSON.stringify(node.text);
    case "text": return JSON.stringify(write(d, node.inner, node.indent));
    case "array": return "[" + blank() + node.parts.map((p) => write(d, p, indent)).join(blank() + "," + blank()) + blank() + "]";
    default:
      return "{" + blank() + node.parts.map(([name, p]) => string(name) + blank() + ":" + blank() + write(d, p, indent)).join(blank() + "," + blank()) + blank() + "}";
  }
}

// All places of a tree: the keys that lead there; what stands in a text stands where the text does.
export function* places(node, keys = []) {
  yield keys;
  if (node.kind === "text") {
    for (const below of places(node.inner, keys)) if (below.length > keys.length) yield below;
  } else if (node.kind === "array") {
    for (const [i, part] of node.parts.entries()) yield* places(part, [...keys, i]);
  } else if (node.kind === "object") {
    for (const [name, part] of node.parts) yield* places(part, [...keys, name]);
  }
}

const quoted = (name) => (/^[A-Za-zé]+$/.test(name) ? null : "'" + name.replace(/[\\']/g, "\\$&") + "'");

// A rule as steps { deep, kind: "name" | "index" | "any", key } and as the path that says the same. Most are made from
// a place of the tree, so that they name something.
export function makeRule(d, all) {
  const from = d.chance(0.9) ? d.pick(all) : Array.from({ length: 1 + d.below(4) }, () => (d.chance(0.3) ? d.below(4) : d.pick(names)));
  const steps = [];
  let deep = false;
  for (const key of from.slice(0, 30)) {
    if (d.chance(0.12)) {
      deep = true;
      continue;
    }
    if (d.chance(0.2)) steps.push({ deep, kind: "any" });
    else steps.push({ deep, kind: typeof key === "number" ? "index" : "name", key });
    deep = d.chance(0.07);
  }
  if (deep || steps.length === 0) steps.push({ deep, kind: "name", key: d.pick(names) });
  const path = "$" + steps.map((s) => {
    const dots = s.deep ? ".." : "";
    if (s.kind === "any") return d.chance(0.5) ? (dots || ".") + "*" : dots + "[*]";
    if (s.kind === "index") return `${dots}[${s.key}]`;
    return quoted(s.key) === null && d.chance(0.8) ? (dots || ".") + s.key : `${dots}[${quoted(s.key) ?? JSON.stringify(s.key)}]`;
  }).join("");
  return { steps, path };
}

export const pointer = (keys) => keys.map((k) => "/" + String(k).replace(/~/g, "~0").replace(/\//g, "~1")).join("");

// An output schema that speaks of most of a tree, and of nothing that a text holds. It asserts nothing, so every value
// matches what is left.
export function makeSchema(d, node) {
  if (node.kind === "array") {
    if (d.chance(0.2)) return d.pick([{}, true, { prefixItems: node.parts.slice(0, d.below(3)).map((p) => makeSchema(d, p)) }]);
    return node.parts.length ? { items: makeSchema(d, d.pick(node.parts)) } : {};
  }
  if (node.kind !== "object" || d.chance(0.1)) return {};
  const properties = {};
  for (const [name, part] of node.parts) if (d.chance(0.8)) properties[name] = makeSchema(d, part);
  const schema = { properties };
  if (d.chance(0.2)) return { anyOf: [{ properties: { ssn: {} } }, { properties }] };
  if (d.chance(0.2)) schema.additionalProperties = d.pick([false, true, { properties: { a: {} } }]);
  return schema;
}

// What is left of a tree that is stripped to a schema of the kind above; `gone` gets what is not.
export function strip(node, schema, gone) {
  const rest = { properties: { a: {} } };
  if (node.kind === "object") {
    const all = schema.anyOf ?? [schema];
    const spoken = all.some((s) => s.properties || s.additionalProperties === false || (s.additionalProperties && s.additionalProperties !== true));
    if (!spoken) return node;
    const parts = [];
    for (const [name, part] of node.parts) {
      const own = all.filter((s) => Object.hasOwn(s.properties ?? {}, name)).map((s) => s.properties[name]);
      if (own.length === 0 && typeof all[0].additionalProperties === "object") own.push(rest);
      if (own.length === 0) gone.push(part);
      else parts.push([name, stripAny(part, own, gone)]);
    }
    return { ...node, parts };
  }
  if (node.kind === "array" && schema.items) return { ...node, parts: node.parts.map((p) => strip(p, schema.items, gone)) };
  if (node.kind === "array" && schema.prefixItems) {
    const n = schema.prefixItems.length;
    gone.push(...node.parts.slice(n));
    return { ...node, parts: node.parts.slice(0, n).map((p, i) => strip(p, schema.prefixItems[i], gone)) };
  }
  return node;
}

// Two schemas speak of "ssn" when it is a member of both in anyOf: {} says nothing, so the other one counts.
function stripAny(part, schemas, gone) {
  return strip(part, schemas.find((s) => Object.keys(s).length > 0) ?? {}, gone);
}
