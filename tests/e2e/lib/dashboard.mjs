// SPDX-License-Identifier: Apache-2.0
// dashboard.mjs check DASHBOARD: prints what is wrong with the form of a Grafana dashboard, nothing when it is right.
// dashboard.mjs rules DASHBOARD: its queries as a file of Prometheus rules, for promtool to parse.
// dashboard.mjs names FILE…: the names of metrics in queries of dashboards (JSON) and rules (YAML).
// dashboard.mjs ask PROMETHEUS DASHBOARD: asks a running Prometheus each query; prints what it refuses.
import fs from 'node:fs';

const [what, ...args] = process.argv.slice(2);
const plain = (e) => e.replaceAll('$__rate_interval', '1m').replaceAll('$instance', '.*');
const load = (file) => JSON.parse(fs.readFileSync(file, 'utf8'));
const queries = (d) => d.panels.flatMap((p) => (p.targets ?? []).map((t) => plain(t.expr)));

function check(file) {
  const d = load(file), ids = new Set(), wrong = (...x) => console.log(...x);
  for (const k of ['title', 'uid', 'schemaVersion', 'panels', 'templating', 'time']) if (d[k] === undefined) wrong(`no ${k}`);
  const variables = new Set(d.templating.list.map((v) => v.name));
  let below = 0;
  for (const p of d.panels) {
    const name = `panel ${p.id} (${p.title})`, g = p.gridPos;
    if (!Number.isInteger(p.id) || ids.has(p.id)) wrong(`${name}: its id is not its own`);
    ids.add(p.id);
    if (!p.title || !g || g.x < 0 || g.x + g.w > 24 || g.h < 1 || g.y < 0) wrong(`${name}: no title or no place`);
    for (const o of d.panels) if (o.id < p.id && o.gridPos.x < g.x + g.w && g.x < o.gridPos.x + o.gridPos.w && o.gridPos.y < g.y + g.h && g.y < o.gridPos.y + o.gridPos.h) wrong(`${name} covers panel ${o.id}`);
    below = Math.max(below, g.y + g.h);
    if (p.type === 'row') continue;
    if (!['timeseries', 'stat'].includes(p.type)) wrong(`${name}: type ${p.type}`);
    if (!p.targets?.length) wrong(`${name}: no query`);
    const refs = new Set();
    for (const t of p.targets ?? []) {
      if (!t.expr || !t.refId || refs.has(t.refId)) wrong(`${name}: a query without text or name`);
      refs.add(t.refId);
      for (const [, v] of t.expr.matchAll(/\$\{?(\w+)/g)) if (!variables.has(v) && v !== '__rate_interval') wrong(`${name}: there is no variable ${v}`);
    }
    if (p.datasource?.uid !== '${datasource}') wrong(`${name}: not the chosen data source`);
  }
  if (queries(d).length < 30 || !below) wrong('hardly anything is shown');
}

function rules(file) {
  const lines = queries(load(file)).map((e, i) => `      - {record: "dashboard:query_${i}", expr: ${JSON.stringify(e)}}`);
  console.log(`groups:\n  - name: dashboard\n    rules:\n${lines.join('\n')}`);
}

function names(files) {
  const seen = new Set();
  for (const f of files) {
    const text = f.endsWith('.json') ? queries(load(f)).join('\n') : fs.readFileSync(f, 'utf8').split('\n').filter((l) => /^\s+expr: /.test(l)).join('\n');
    for (const [name] of text.matchAll(/\b(nakoso|gen_ai_client)_\w+/g)) seen.add(name);
  }
  console.log([...seen].sort().join('\n'));
}

async function ask(base, file) {
  for (const e of queries(load(file))) {
    const r = await (await fetch(`${base}/api/v1/query?query=${encodeURIComponent(e)}`)).json();
    if (r.status !== 'success') console.log(`${e}: ${r.error}`);
    else if (process.env.WANT && new RegExp(process.env.WANT).test(e) && !r.data.result.length) console.log(`${e}: no data`);
  }
}

if (what === 'check') check(args[0]);
else if (what === 'rules') rules(args[0]);
else if (what === 'names') names(args);
else await ask(...args);
