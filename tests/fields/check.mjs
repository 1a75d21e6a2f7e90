// SPDX-License-Identifier: Apache-2.0
// node check.mjs PROGRAM SEED COUNT: has COUNT random results filtered by `PROGRAM --pipe` and judges what comes out.
// 0 leaks: no token of a value that may not be read stands anywhere in the output, in whatever form the result is
// written. Nothing lost: what may be read is there, at its place, and unfiltered results are byte for byte the same.
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { dice } from "./random.mjs";
import { makeResult, makeRule, makeSchema, places, pointer, strip, write } from "./world.mjs";
import { differs, expect } from "./oracle.mjs";

const [program, seed, count] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const d = dice(seed), counter = { next: 100000 };
const hides = ["drop", "drop", "drop", "replace", "mask", "mask_type", "mask_length"];
const withs = ["gone", "[hidden]", "{\"hidden\":true}", "0", "say \"no\""];
const forms = ["value", "mcp", "mcp-text", "openai", "openai-parts", "responses", "anthropic", "anthropic-parts", "bedrock", "bedrock-text", "lambda", "action", "text"];

// The form around the JSON of a value: what is asked, and how the value and its twins are found in the answer.
function wrap(form, json, noise) {
  const s = JSON.stringify, text = s(json), n = s(noise);
  const fromText = (get) => (out) => [JSON.parse(get(out))];
  switch (form) {
    case "value": return ["value", json, (out) => [out]];
    case "mcp": return ["mcp", `{"content":[{"type":"text","text":${text}},{"type":"text","text":${n}},{"type":"image","data":${n},"mimeType":"image/png"}],"structuredContent":${json},"_meta":{"x":${n}}}`,
      (out) => [out.structuredContent, JSON.parse(out.content[0].text)]];
    case "mcp-text": return ["mcp", `{"content":[{"type":"resource_link","uri":"file:///x","name":${n}},{"type":"text","text":${text},"_meta":{"x":${n}}}]}`, fromText((o) => o.content[0].text)];
    case "openai": return ["openai", `{"role":"tool","tool_call_id":"c","content":${text},"extra":${n}}`, fromText((o) => o.content)];
    case "openai-parts": return ["openai", `{"role":"tool","tool_call_id":"c","content":[{"type":"text","text":${text}},{"type":"refusal","refusal":${n}}]}`, fromText((o) => o.content[0].text)];
    case "responses": return ["openai", `{"type":"function_call_output","call_id":"c","output":${text}}`, fromText((o) => o.output)];
    case "anthropic": return ["anthropic", `{"type":"tool_result","tool_use_id":"t","content":${text}}`, fromText((o) => o.content)];
    case "anthropic-parts": return ["anthropic", `{"type":"tool_result","tool_use_id":"t","content":[{"type":"document","source":{"type":"text","data":${n}}},{"type":"text","text":${text}}]}`, fromText((o) => o.content[0].text)];
    case "bedrock": return ["bedrock", `{"toolUseId":"t","content":[{"text":${text}},{"json":${json}},{"document":{"name":${n}}}],"status":"success"}`, (o) => [o.content[0].json]];
    case "bedrock-text": return ["bedrock", `{"toolUseId":"t","content":[{"text":${text}}]}`, fromText((o) => o.content[0].text)];
    case "lambda": return ["lambda", `{"messageVersion":"1.0","response":{"actionGroup":"g","httpStatusCode":200,"responseBody":{"application/json":{"body":${text}}}},"sessionAttributes":{"x":${n}}}`, fromText((o) => o.response.responseBody["application/json"].body)];
    case "action": return ["action", `{"actionGroup":"g","function":"f","responseBody":{"TEXT":{"body":${text},"images":[{"x":${n}}]}}}`, fromText((o) => o.responseBody.TEXT.body)];
    default: return ["text", text, (out) => [JSON.parse(out)]];
  }
}

function makeCase() {
  const node = makeResult(d, counter), all = [...places(node)].filter((keys) => keys.length > 0 && keys.length <= 30);
  if (all.length === 0) all.push(["a"]);
  const rules = Array.from({ length: d.below(7) }, () => ({ ...makeRule(d, all), class: d.below(6), hide: d.pick(hides), with: d.pick(withs) }));
  const denied = [...Array(6).keys()].filter(() => d.chance(0.5));
  const pointed = d.chance(0.3) ? Array.from({ length: 1 + d.below(2) }, () => d.pick(all)) : [];
  const hidden = [], kept = [], noise = `T${counter.next++}Z`;
  const active = rules.filter((r) => denied.includes(r.class))
    .concat(pointed.map((keys) => ({ steps: keys.map((key) => ({ kind: "token", key: String(key) })), hide: "drop" })));
  const schema = d.chance(0.25) ? makeSchema(d, node) : null, undeclared = [];
  const left = expect(schema ? strip(node, schema, undeclared) : node, active, hidden, kept);
  for (const part of undeclared) expect(part, [{ steps: [], hide: "drop" }], hidden, kept);
  const form = d.pick(forms), json = write(d, node), [name, result, views] = wrap(form, json, noise);
  const applies = active.length > 0 || schema !== null;
  if (applies && form !== "value" && form !== "text") hidden.push(noise);
  const line = `{"form":"${name}","rules":${JSON.stringify(rules.map(({ path, class: c, hide, with: w }) => ({ path, class: c, hide, with: w })))},` +
    `"denied":${JSON.stringify(denied)},"pointers":${JSON.stringify(pointed.map(pointer))},${schema ? `"strip":${JSON.stringify(schema)},` : ""}"result":${result.replace(/[\n\t]/g, " ")}}`;
  return { form, line, was: result.replace(/[\n\t]/g, " "), applies, left, hidden, kept, views };
}

// What is wrong with an output: lines.
function judge(c, out) {
  const wrong = [];
  for (const token of c.hidden) if (out.includes(token)) wrong.push(`leak of ${token}`);
  if (out.startsWith("!")) return [`refused: ${out}`];
  if (!c.applies) return out === c.was ? wrong : [...wrong, "changed, although nothing is denied"];
  for (const token of c.kept) if (!out.includes(token)) wrong.push(`lost ${token}`);
  try {
    for (const view of c.views(JSON.parse(out))) {
      const where = differs(c.left.tree, view);
      if (where) wrong.push(where);
    }
  } catch (e) {
    wrong.push(`the output cannot be read: ${e.message}`);
  }
  return wrong;
}

const cases = Array.from({ length: count }, makeCase);
const child = spawn(program, ["--pipe"], { stdio: ["pipe", "pipe", "inherit"] });
child.stdin.on("error", () => {});
(async () => {
  for (const c of cases) if (!child.stdin.write(c.line + "\n")) await new Promise((go) => child.stdin.once("drain", go));
  child.stdin.end();
})();
let at = 0, bad = 0, leaks = 0, filtered = 0, tokens = 0;
for await (const line of createInterface({ input: child.stdout, crlfDelay: Infinity })) {
  const c = cases[at++];
  if (!c) break;
  const wrong = judge(c, line);
  filtered += c.hidden.length > 0;
  tokens += c.hidden.length;
  leaks += wrong.some((w) => w.startsWith("leak"));
  if (wrong.length && ++bad <= 5) console.log(`${wrong.join("; ")}\n  asked: ${c.line}\n  came: ${line}`);
}
if (at !== count) console.log(`${at} answers to ${count} questions`);
console.error(`${at} results, ${filtered} of them with ${tokens} values that may not be read: ${leaks} leaks, ${bad} wrong`);
process.exit(bad || at !== count ? 1 : 0);
