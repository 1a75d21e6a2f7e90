// SPDX-License-Identifier: Apache-2.0
// verify.mjs WHAT REQUESTS [ARGUMENTS…]: looks at what the collector got (requests.jsonl) and prints what is wrong; nothing
// when all is as it has to be. See the functions at the end of the file for what can be asked.
import fs from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const stable = require('@opentelemetry/semantic-conventions');
const all = require('@opentelemetry/semantic-conventions/incubating');
const official = new Set([...Object.values(stable), ...Object.values(all)]);
const [what, file, ...args] = process.argv.slice(2);
const requests = what === 'items' ? [] : fs.readFileSync(file, 'utf8').split('\n').filter(Boolean).map((l) => JSON.parse(l));
const schema = 'https://opentelemetry.io/schemas/1.41.0';
const wrong = (...x) => console.log(...x);

const value = (v) => v.stringValue ?? v.boolValue ?? v.doubleValue ?? (v.intValue !== undefined ? Number(v.intValue) : v.arrayValue?.values?.map(value));
const attributes = (list) => Object.fromEntries((list ?? []).map((a) => [a.key, value(a.value)]));
const bodies = (path) => requests.filter((r) => r.path.endsWith(path) && r.status === 200 && r.body).map((r) => r.body);
const spans = () => bodies('/v1/traces').flatMap((b) => b.resourceSpans.flatMap((r) => r.scopeSpans.flatMap((s) => s.spans ?? [])))
  .map((s) => ({ ...s, a: attributes(s.attributes), start: BigInt(s.startTimeUnixNano), end: BigInt(s.endTimeUnixNano) }));
const logs = () => bodies('/v1/logs').flatMap((b) => b.resourceLogs.flatMap((r) => r.scopeLogs.flatMap((s) => s.logRecords ?? [])))
  .map((l) => ({ ...l, a: attributes(l.attributes) }));
const metrics = () => bodies('/v1/metrics').map((b) => Object.fromEntries(b.resourceMetrics.flatMap((r) => r.scopeMetrics.flatMap((s) => s.metrics)).map((m) => [m.name, m])));
const traceOf = (id) => { const mine = spans().filter((s) => s.traceId === id); return { server: mine.find((s) => s.kind === 2), decision: mine.find((s) => s.kind === 1), call: mine.find((s) => s.kind === 3), n: mine.length }; };
const same = (name, got, want) => JSON.stringify(got) === JSON.stringify(want) || wrong(`${name} is ${JSON.stringify(got)}, not ${JSON.stringify(want)}`);

// What holds for each message whatever happened: form, names of the conventions, parents, times.
function form() {
  for (const r of requests) if (r.wrong) wrong(`a message cannot be decoded: ${r.wrong}`);
  for (const [path, outer, inner] of [['/v1/traces', 'resourceSpans', 'scopeSpans'], ['/v1/logs', 'resourceLogs', 'scopeLogs'], ['/v1/metrics', 'resourceMetrics', 'scopeMetrics']])
    for (const b of bodies(path)) for (const r of b[outer]) {
      if (r.schemaUrl !== schema || r[inner].some((s) => s.schemaUrl !== schema)) wrong(`${path}: the schema is ${r.schemaUrl}`);
      const a = attributes(r.resource.attributes);
      if (a['service.name'] !== 'nakoso' || !a['service.version'] || !a['service.instance.id']) wrong(`${path}: the resource is ${JSON.stringify(a)}`);
      for (const k of Object.keys(a)) if (!official.has(k)) wrong(`${k} is no attribute of the conventions`);
      if (r[inner].some((s) => s.scope.name !== 'nakoso')) wrong(`${path}: no scope`);
    }
  const now = BigInt(Date.now()) * 1000000n, list = spans(), byId = new Map(list.map((s) => [s.spanId, s]));
  if (byId.size !== list.length) wrong('span ids are there twice');
  for (const s of list) {
    if (!/^[0-9a-f]{32}$/.test(s.traceId) || !/^[0-9a-f]{16}$/.test(s.spanId)) wrong(`ids: ${s.traceId} ${s.spanId}`);
    if (s.end < s.start || s.end > now || s.start < now - 600000000000n) wrong(`${s.name}: times ${s.start} to ${s.end}`);
    for (const e of s.events ?? []) if (BigInt(e.timeUnixNano) < s.start || BigInt(e.timeUnixNano) > s.end) wrong(`${s.name}: event ${e.name} is not within the span`);
    if (s.kind !== 2) {
      const parent = byId.get(s.parentSpanId);
      if (!parent || parent.kind !== 2 || parent.traceId !== s.traceId) wrong(`${s.name} has no parent`);
      else if (s.start < parent.start || s.end > parent.end) wrong(`${s.name} is not within ${parent.name}`);
    }
    for (const k of Object.keys(s.a)) if (!official.has(k) && !k.startsWith('nakoso.')) wrong(`${k} is no attribute of the conventions`);
    if (Boolean(s.a['error.type']) !== (s.status?.code === 2)) wrong(`${s.name}: error.type and status do not go together`);
  }
  for (const l of logs()) for (const k of Object.keys(l.a)) if (!official.has(k) && !k.startsWith('nakoso.')) wrong(`${k} is no attribute of the conventions`);
}

// answered TRACE PARENT MODEL PORT: one request that was answered.
function answered(trace, parent, model, port) {
  const { server: s, decision: d, call: c, n } = traceOf(trace);
  if (n !== 3 || !s || !d || !c) return wrong(`${n} spans of trace ${trace}`);
  same('name', s.name, 'POST /v1/chat/completions');
  same('parent', s.parentSpanId ?? '', parent);
  same('status', s.a['http.response.status_code'], 200);
  same('method', s.a['http.request.method'], 'POST');
  same('scheme', s.a['url.scheme'], 'http');
  same('decision', s.a['nakoso.decision'], 'allow');
  same('policies', s.a['nakoso.policies'], ['staff']);
  same('name of the decision', d.name, 'authorize');
  same('name of the call', c.name, `chat ${model}`);
  same('operation', c.a['gen_ai.operation.name'], 'chat');
  same('provider', c.a['gen_ai.provider.name'], 'openai');
  same('model', [c.a['gen_ai.request.model'], c.a['gen_ai.response.model']], [model, model]);
  same('finish', c.a['gen_ai.response.finish_reasons'], ['stop']);
  same('server', [c.a['server.address'], c.a['server.port']], ['127.0.0.1', Number(port)]);
  if (!(c.a['gen_ai.usage.input_tokens'] > 0) || !(c.a['gen_ai.usage.output_tokens'] > 0)) wrong('no tokens');
  same('events', (c.events ?? []).map((e) => e.name), ['nakoso.first_byte']);
  if (d.end > c.start) wrong('the call begins before the decision ends');
}

// streamed TRACE, refused TRACE ID STAGE STATUS, fault TRACE ID
function streamed(trace) {
  const { call: c } = traceOf(trace);
  if (!c) return wrong('no span of the call');
  same('stream', c.a['gen_ai.request.stream'], true);
  same('finish', c.a['gen_ai.response.finish_reasons'], ['stop']);
  if (!c.a['gen_ai.response.model'] || !(c.a['nakoso.stream.events'] > 1) || !(c.a['gen_ai.response.time_to_first_chunk'] >= 0)) wrong(JSON.stringify(c.a));
}
function refused(trace, id, stage, status, severity = '13') {
  const { server: s, call: c } = traceOf(trace), l = logs().filter((x) => x.traceId === trace);
  if (!s) return wrong('no span');
  same('refusal', [s.a['nakoso.refusal.id'], s.a['nakoso.refusal.stage'], s.a['http.response.status_code']], [id, stage, Number(status)]);
  if (severity === '13' && (c || s.status?.code)) wrong('a refusal is no error of ours, and nothing was called');
  if (l.length !== 1) return wrong(`${l.length} log records`);
  same('log', [l[0].a['nakoso.refusal.id'], l[0].spanId, l[0].severityNumber, l[0].eventName], [id, s.spanId, Number(severity), severity === '13' ? 'nakoso.refusal' : 'nakoso.fault']);
  if (!l[0].body.stringValue.startsWith(`${id}: `)) wrong(`the body is ${l[0].body.stringValue}`);
}
function fault(trace, id, status) {
  const { server: s, call: c } = traceOf(trace);
  refused(trace, id, 'receive', status, '17');
  same('error of the request', [s?.a['error.type'], s?.status?.code], [id, 2]);
  same('error of the call', [c?.a['error.type'], c?.status?.code], [id, 2]);
}

// tool TRACE NAME PORT: a call at an MCP endpoint. agent TRACE AGENT MODEL TOOL: a turn of an agent that calls one tool.
const calls = (trace) => spans().filter((s) => s.traceId === trace && s.kind === 3).sort((x, y) => (x.start < y.start ? -1 : 1));
function tool(trace, name, port) {
  const { server: s } = traceOf(trace), c = calls(trace);
  if (!s || !c.length) return wrong(`${c.length} calls`);
  same('request', [s.name, s.a['mcp.method.name'], s.a['gen_ai.operation.name'], s.a['gen_ai.tool.name']], ['POST /mcp', 'tools/call', 'execute_tool', name]);
  same('calls', c.map((x) => x.name).filter((x) => x !== 'server/discover'), ['tools/list', `tools/call ${name}`]);
  const last = c.at(-1);
  same('call', [last.a['mcp.method.name'], last.a['gen_ai.operation.name'], last.a['gen_ai.tool.name']], ['tools/call', 'execute_tool', name]);
  for (const x of c) same('server', [x.a['server.address'], x.a['server.port'], x.a['nakoso.upstream'], x.a['http.response.status_code']], ['127.0.0.1', Number(port), 'rug', 200]);
}
// failing TRACE TYPE: a call that was answered, and the answer says that it failed.
function failing(trace, type) {
  const { server: s } = traceOf(trace);
  same('failure', [s?.a['http.response.status_code'], s?.a['error.type'], s?.status?.code, calls(trace).at(-1)?.name], [200, type, 2, 'tools/call rug___pay']);
}
function agent(trace, who, model, name) {
  const { server: s } = traceOf(trace), c = calls(trace);
  if (!s) return wrong('no span of the request');
  same('request', [s.a['gen_ai.operation.name'], s.a['gen_ai.agent.name']], ['invoke_agent', who]);
  same('calls', c.map((x) => x.name).filter((x) => x !== 'server/discover' && x !== 'tools/list'), [`chat ${model}`, `tools/call ${name}`, `chat ${model}`]);
  same('model', c[0]?.a['gen_ai.request.model'], model);
}

// counted FILE: the metrics, against the text that /metrics gave afterwards (which is no less).
function counted(text) {
  const last = metrics().at(-1), seen = fs.readFileSync(text, 'utf8').split('\n');
  const names = new Set(seen.filter((l) => l.startsWith('# TYPE')).map((l) => l.split(' ')[2]));
  if (!last) return wrong('no metrics');
  const toText = (m) => {
    const unit = { s: '_seconds', By: /_bytes$/.test(m.name) || m.name.endsWith('.bytes') ? '' : '_bytes' }[m.unit] ?? '';
    return m.name.replaceAll('.', '_') + unit + (m.sum ? '_total' : '');
  };
  for (const m of Object.values(last)) { if (!names.delete(toText(m))) wrong(`${m.name} (${m.unit}) would be ${toText(m)}, which /metrics does not show`); }
  for (const n of names) wrong(`${n} is not among the metrics`);
  for (const m of Object.values(last)) {
    const data = m.sum ?? m.gauge ?? m.histogram;
    if (!m.description || !data?.dataPoints?.length) wrong(`${m.name} has no points or no description`);
    if (m.sum && (!m.sum.isMonotonic || m.sum.aggregationTemporality !== 2)) wrong(`${m.name} is no cumulative sum`);
    for (const p of m.histogram?.dataPoints ?? []) {
      if (p.bucketCounts.length !== p.explicitBounds.length + 1) wrong(`${m.name}: buckets`);
      if (p.bucketCounts.reduce((x, y) => x + Number(y), 0) !== Number(p.count)) wrong(`${m.name}: count`);
    }
  }
  const point = (name, want) => (last[name]?.sum ?? last[name]?.histogram)?.dataPoints.find((p) => { const a = attributes(p.attributes); return Object.entries(want).every(([k, v]) => a[k] === v); });
  const bounds = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92];
  const call = point('gen_ai.client.operation.duration', { 'gen_ai.operation.name': 'chat', 'gen_ai.provider.name': 'openai' });
  same('bounds of gen_ai.client.operation.duration', call?.explicitBounds, bounds);
  const tokens = point('gen_ai.client.token.usage', { 'gen_ai.operation.name': 'chat', 'gen_ai.provider.name': 'openai', 'gen_ai.token.type': 'output' });
  same('bounds of gen_ai.client.token.usage', tokens?.explicitBounds, Array.from({ length: 14 }, (_, i) => 4 ** i));
  if (!(Number(call?.count) > 0) || !(tokens?.sum > 0)) wrong('nothing was counted');
  if (!(Number(point('nakoso.decisions', { decision: 'deny' })?.asInt) > 0)) wrong('no decision was counted');
}

// items: the golden items of the unit test mean the same in both forms.
function items() {
  const { opentelemetry } = require('@opentelemetry/otlp-transformer/build/src/generated/root.js');
  const { trace, logs: log, metrics: m, collector } = opentelemetry.proto;
  const types = { span: trace.v1.Span, log: log.v1.LogRecord, histogram: m.v1.Metric, sum: m.v1.Metric, request: collector.trace.v1.ExportTraceServiceRequest };
  const hex = (k, v) => (/^(traceId|spanId|parentSpanId)$/.test(k) && typeof v === 'string' ? Buffer.from(v, 'hex').toString('base64') : v);
  const seen = {};
  for (const l of fs.readFileSync(file, 'utf8').split('\n').filter((x) => x && !x.startsWith('#'))) {
    const [, kind, form, text] = l.match(/^(\w+) (\w+) \| (.*)$/), type = types[kind];
    const message = form === 'json' ? type.fromObject(JSON.parse(text, hex)) : type.decode(Buffer.from(text, 'hex'));
    const said = JSON.stringify(type.toObject(message, { longs: String, bytes: String, enums: Number, defaults: true }));
    if (seen[kind] && seen[kind] !== said) wrong(`${kind}: ${seen[kind]}\nis not ${said}`);
    seen[kind] = said;
  }
  if (Object.keys(seen).length !== 5) wrong('some are missing');
}

const questions = {
  form, answered, streamed, refused, fault, tool, failing, agent, counted, items,
  none: (path) => bodies(path).length && wrong(`${bodies(path).length} messages to ${path}`),
  some: (path) => bodies(path).length || wrong(`no message to ${path}`),
  absent: (trace) => traceOf(trace).n && wrong('there are spans'),
  logged: (id) => logs().some((l) => l.a['nakoso.refusal.id'] === id) || wrong('there is no log record'),
  attribute: (trace, key, pattern) => { const got = traceOf(trace).server?.a[key]; new RegExp(`^(${pattern})$`).test(got ?? '') || wrong(`${key} is ${got}`); },
  header: (name, want) => requests.every((r) => r.headers[name] === want) || wrong('it is not there'),
  call: (trace) => console.log(traceOf(trace).call?.spanId ?? 'none'),
  count: () => console.log(spans().length),
};
await questions[what](...args);
