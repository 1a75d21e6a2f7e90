// SPDX-License-Identifier: Apache-2.0
// What should be left of a result, found another way than src/field does it: not by an automaton over one walk, but
// rule by rule and place by place, with the definition of a path read as a recursive function.
const order = ["drop", "replace", "mask", "mask_type", "mask_length"];
const TEXTS_MAX = 4;

const takes = (step, key, isItem) => step.kind === "any" || (step.kind === "index" ? isItem && step.key === key
  : step.kind === "token" ? String(key) === step.key : !isItem && step.key === key);

// Does a path from step s on name exactly the place that keys from k on lead to; or ("open") may it name one below?
function matches(steps, s, keys, k, open) {
  if (k === keys.length) return open ? s < steps.length : s === steps.length;
  if (s === steps.length) return false;
  const key = keys[k], step = steps[s];
  if (takes(step, key, typeof key === "number") && matches(steps, s + 1, keys, k + 1, open)) return true;
  return step.deep && matches(steps, s, keys, k + 1, open);
}

// rules: [{ steps, hide, with }], those that are denied alone, pointers among them. Returns what should be left of the
// node: { gone: true } or { tree }, and puts the tokens of what should not be there into `hidden`.
export function expect(node, rules, hidden, kept) {
  const tokens = (n, into) => {
    if (n.token) into.push(n.token);
    if (n.kind === "text") tokens(n.inner, into);
    for (const p of n.parts ?? []) tokens(Array.isArray(p) ? p[1] : p, into);
  };
  const gone = (n) => (tokens(n, hidden), { gone: true });

  function value(n, keys, texts) {
    const found = rules.filter((r) => matches(r.steps, 0, keys, 0, false));
    if (found.length) {
      const rule = found.reduce((best, r) => (order.indexOf(r.hide) < order.indexOf(best.hide) ? r : best));
      const left = gone(n);
      return rule.hide === "drop" ? left : { tree: { exact: instead(rule, n) } };
    }
    const open = rules.some((r) => matches(r.steps, 0, keys, 0, true));
    if (n.kind === "broken" && n.suspect && open) return gone(n);
    if (n.kind !== "text") return inside(n, keys, texts);
    if (!open) return inside(n, keys, texts);
    if (texts === TEXTS_MAX) return holds(n.inner) ? gone(n) : inside(n, keys, texts);
    const inner = n.inner.kind === "text" ? again(n.inner, keys, texts + 1) : inside(n.inner, keys, texts + 1);
    return inner.gone ? { gone: true } : { tree: { text: inner.tree } };
  }

  // A text in a text: what is said of its place was asked already.
  function again(n, keys, texts) {
    if (texts === TEXTS_MAX) return holds(n.inner) ? gone(n) : inside(n, keys, texts);
    const inner = n.inner.kind === "text" ? again(n.inner, keys, texts + 1) : inside(n.inner, keys, texts + 1);
    return inner.gone ? { gone: true } : { tree: { text: inner.tree } };
  }

  // Could an object be read in its text?
  function holds(n) {
    if (n.kind === "text") return true;
    const text = JSON.stringify(plain(n));
    return /\{.*:/s.test(text);
  }

  function inside(n, keys, texts) {
    switch (n.kind) {
      case "array": {
        const parts = n.parts.map((p, i) => value(p, [...keys, i], texts)).filter((p) => !p.gone);
        return { tree: { array: parts.map((p) => p.tree) } };
      }
      case "object": {
        const parts = n.parts.map(([name, p]) => [name, value(p, [...keys, name], texts)]).filter(([, p]) => !p.gone);
        return { tree: { object: parts.map(([name, p]) => [name, p.tree]) } };
      }
      default:
        tokens(n, kept);
        return { tree: { exact: plain(n) } };
    }
  }
  return value(node, [], 0);
}

// The value that a node is, texts as texts.
export function plain(n) {
  switch (n.kind) {
    case "scalar": return JSON.parse(n.json);
    case "prose": case "broken": return n.text;
    case "text": return { text: plain(n.inner) };
    case "array": return n.parts.map(plain);
    default: return Object.fromEntries(n.parts.map(([name, p]) => [name, plain(p)]));
  }
}

function instead(rule, n) {
  if (rule.hide === "replace") {
    try { return JSON.parse(rule.with); } catch { return rule.with; }
  }
  if (rule.hide === "mask") return "***";
  const json = n.kind === "scalar" ? JSON.parse(n.json) : null, length = rule.hide === "mask_length";
  if (n.kind === "object" || (n.kind === "scalar" && json && typeof json === "object" && !Array.isArray(json))) return {};
  if (n.kind === "array") return length ? n.parts.map(() => null) : [];
  if (Array.isArray(json)) return [];
  if (n.kind === "scalar") return json === null ? null : typeof json === "number" ? 0 : false;
  if (!length) return "***";
  return { stars: n };
}

// Is `have`, a parsed JSON value, the expected tree? "" or where it is not.
export function differs(tree, have, at = "$") {
  if ("array" in tree) {
    if (!Array.isArray(have) || have.length !== tree.array.length) return `${at}: not the ${tree.array.length} elements`;
    return tree.array.map((t, i) => differs(t, have[i], `${at}[${i}]`)).find(Boolean) ?? "";
  }
  if ("object" in tree) {
    if (have === null || typeof have !== "object" || Array.isArray(have)) return `${at}: no object`;
    const want = tree.object.map(([name]) => name).sort().join("\n"), names = Object.keys(have).sort().join("\n");
    if (want !== names) return `${at}: members ${JSON.stringify(names)}, not ${JSON.stringify(want)}`;
    return tree.object.map(([name, t]) => differs(t, have[name], `${at}.${name}`)).find(Boolean) ?? "";
  }
  if ("text" in tree) {
    if (typeof have !== "string") return `${at}: no text`;
    try { return differs(tree.text, JSON.parse(have), `${at}(text)`); } catch { return `${at}: text that is no JSON`; }
  }
  return same(tree.exact, have) ? "" : `${at}: ${JSON.stringify(have)}, not ${JSON.stringify(tree.exact)}`;
}

function same(want, have) {
  if (want && typeof want === "object" && "stars" in want) return typeof have === "string" && /^\**$/.test(have);
  if (want && typeof want === "object" && !Array.isArray(want) && Object.keys(want).length === 1 && "text" in want && typeof have === "string")
    try { return same(want.text, JSON.parse(have)); } catch { return false; }
  if (want && have && typeof want === "object" && typeof have === "object") {
    const names = Object.keys(want);
    return Array.isArray(want) === Array.isArray(have) && names.length === Object.keys(have).length && names.every((n) => n in have && same(want[n], have[n]));
  }
  return Object.is(want, have);
}
