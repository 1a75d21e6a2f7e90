// SPDX-License-Identifier: Apache-2.0
// smuggle.mjs SETTINGS: plays the corpus of request smuggling through each topology and compares what the front
// proxy, Nakoso's audit log and the recording upstream say. SETTINGS is JSON: {key, audit, recorder, cases,
// topologies: [{name, port, model, front (log file or null), exact, h2}],
// verbose}. One line for each thing that is wrong, with
// the topology in front; then, behind "# ", a table.
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { message, read, request } from './smuggling_cases.mjs';
import * as h2 from './h2raw.mjs';

const settings = JSON.parse(process.argv[2]);
const AT_ONCE = 8, QUIET_MS = 150, PATIENCE_MS = 4000, SETTLE_MS = 700;
const sleep = (ms) => new Promise((r) => setTimeout(r, ms));
const wrongs = [];

// Answers -----------------------------------------------------------------------------------------

// The answers in `data`: [{status, body}], and the bytes behind them.
function answers(data, isHead) {
  const out = [];
  for (;;) {
    const end = data.indexOf('\r\n\r\n');
    if (end < 0) return [out, data];
    const head = data.toString('latin1', 0, end);
    const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1]);
    let rest = data.subarray(end + 4), n = Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0);
    if (!status) return [out, data];
    if (status < 200 || (isHead && out.length === 0)) n = 0;
    if (/^transfer-encoding: *chunked/im.test(head)) n = rest.indexOf('0\r\n\r\n') < 0 ? Infinity : rest.indexOf('0\r\n\r\n') + 5;
    if (rest.length < n) return [out, data];
    out.push({ status, body: rest.toString('latin1', 0, n) });
    data = rest.subarray(n);
  }
}

class Client {
  constructor(port, isHead) {
    this.data = Buffer.alloc(0);
    this.isHead = isHead;
    this.last = Date.now();
    this.socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    this.socket.setNoDelay(true);
    this.socket.on('data', (d) => { this.data = Buffer.concat([this.data, d]); this.last = Date.now(); });
    this.socket.on('end', () => (this.closed = true));
    this.socket.on('error', () => (this.closed = true));
    this.socket.on('close', () => (this.closed = true));
  }
  get answers() { return answers(this.data, this.isHead)[0]; }
  get rest() { return answers(this.data, this.isHead)[1]; }
  async play(steps) {
    for (const s of steps) {
      if (s.wait) await sleep(s.wait);
      if (s.bytes) this.socket.write(s.bytes);
      if (s.half) this.socket.end();
    }
  }
  async until(test) {
    for (const end = Date.now() + PATIENCE_MS; Date.now() < end && !test(); ) await sleep(5);
    return test();
  }
  end() { this.socket.destroy(); }
}

const content = (body) => {
  try { return JSON.parse(body).choices[0].message.content; } catch { return null; }
};

// A plain request on a connection of its own: whatever happened before, it gets its own answer.
async function victim(t, mark, wrong) {
  const c = new Client(t.port);
  c.socket.write(request(settings.key, t.model, `victim-${mark}`));
  await c.until(() => c.answers.length || c.closed);
  const got = c.answers[0];
  if (got?.status !== 200 || content(got.body) !== `victim-${mark}`) wrong(`another client got ${got?.status} ${got?.body.slice(0, 200)}`);
  c.end();
}

// What Nakoso alone must answer: the statuses, then its own answer to one more request, or the end.
async function exactly(t, c, client, mark, wrong) {
  const statuses = c.expect.slice(0, -1).map(Number);
  const open = c.expect.at(-1) === 'open';
  await client.until(() => client.closed || client.answers.length >= statuses.length);
  if (open) client.socket.write(request(settings.key, t.model, `probe-${mark}`));
  await client.until(() => client.closed || client.answers.length > statuses.length);
  const got = client.answers, say = () => `${got.map((a) => a.status).join(' ')} ${client.closed ? 'close' : 'open'}`;
  const same = statuses.every((s, i) => got[i]?.status === s);
  if (!same || got.length !== statuses.length + (open ? 1 : 0) || client.closed === open || client.rest.length)
    wrong(`answered ${say()}, not ${c.expect.join(' ')}${client.rest.length ? `; then ${JSON.stringify(client.rest.toString('latin1').slice(0, 80))}` : ''}`);
  if (open && got.length > statuses.length && content(got.at(-1).body) !== `probe-${mark}`)
    wrong(`the next request on the connection got ${got.at(-1).status} ${got.at(-1).body.slice(0, 200)}`);
}

async function play(t, c, mark, wrong) {
  const m = message(c, settings.key, t.model, mark);
  if (c.kind === 'h2') {
    const got = await h2.send(t.port, m, 1500);
    if (settings.verbose) console.log(`#   ${t.name} ${c.id} ${c.name}: ${c.it ?? ''}: ${got}`);
    if (t.exact && (got === '200') !== (c.expect[0] === '200')) wrong(`it was ${got === '200' ? 'taken' : `refused (${got})`}, not ${c.expect[0]}`);
    return;
  }
  const client = new Client(t.port, m.steps[0]?.bytes?.subarray(0, 5).toString() === 'HEAD ');
  await client.play(m.steps);
  if (t.exact) await exactly(t, c, client, mark, wrong);
  else await client.until(() => client.closed || (client.answers.length && Date.now() - client.last > QUIET_MS));
  client.end();
}

// What the three say ----------------------------------------------------------------------------------

const lines = (file) => fs.readFileSync(file, 'utf8').split('\n').filter(Boolean);
const records = () => fs.readdirSync(settings.audit).filter((f) => f.endsWith('.jsonl')).sort()
  .flatMap((f) => lines(path.join(settings.audit, f))).map((l) => JSON.parse(l)).filter((r) => r.kind === 'decision');

// What the proxy in front passed on: "<trace> <method> gate <status>". It writes that when a connection ends.
const fronted = (t) => (t.front ? lines(t.front).filter((l) => l.split(' ')[2] === 'gate') : []);
async function settled(t, decisions, from) {
  for (let i = 0; i < 100; i++) { // on a loaded machine it takes its time
    const traces = new Set(fronted(t).slice(from).map((l) => l.split(' ')[0]));
    if (decisions.every((d) => !d.trace || traces.has(d.trace))) break;
    await sleep(100);
  }
  return fronted(t).slice(from);
}

// Each request that reached the upstream is one that was allowed, byte for byte, and was asked once.
function compareUpstream(seen, decisions, wrong) {
  const allowed = new Map();
  for (const d of decisions.filter((x) => x.decision === 'allow' && x.facts.parse))
    allowed.set(d.facts.parse.sha256, (allowed.get(d.facts.parse.sha256) ?? 0) + 1);
  for (const r of seen) {
    const left = allowed.get(r.sha256) ?? 0;
    if (!left) wrong(`the upstream got what was not decided: ${r.method} ${r.target} ${r.body.slice(0, 200)}`);
    allowed.set(r.sha256, left - 1);
    if (r.odd.length) wrong(`the upstream got ${r.odd.join(', ')}`);
    if (r.method !== 'POST' || r.target !== '/v1/chat/completions') wrong(`the upstream got ${r.method} ${r.target}`);
  }
  const lost = [...allowed.values()].reduce((a, b) => a + b, 0);
  if (lost > 0) wrong(`${lost} allowed requests did not reach the upstream`);
}

// The record says the method only where the operation does not.
const methodOf = (match) => match.method ?? (match.operation.startsWith('models.') ? 'GET' : 'POST');

// Each decision is about one request that the proxy in front says it passed on.
function compareFront(passed, decisions, wrong) {
  const traces = new Map(passed.map((l) => [l.split(' ')[0], l]));
  let untraced = 0;
  for (const d of decisions) {
    const line = d.trace && traces.get(d.trace);
    if (d.trace && !line) wrong(`a decision about what the proxy did not pass on, or twice: ${JSON.stringify(d.facts)}`);
    traces.delete(d.trace);
    if (d.trace && line && line.split(' ')[1] !== methodOf(d.facts.match)) wrong(`the proxy says ${line}; decided: ${JSON.stringify(d.facts.match)}`);
    if (d.trace) continue;
    untraced++;
    if (d.decision !== 'refused' || d.refusal.stage !== 'match') wrong(`a decision about nothing that the proxy knows: ${JSON.stringify(d.facts)}`);
  }
  if (untraced > traces.size) wrong(`${untraced} requests refused for their framing, but only ${traces.size} passed on that were not decided`);
  return untraced;
}

async function run(t, cases) {
  const from = { seen: lines(settings.recorder).length, decided: records().length, front: fronted(t).length };
  const report = (c) => (text) => wrongs.push(`${t.name}: ${c ? `${c.id} (${c.name}${c.it === null ? '' : `: ${c.it}`}): ` : ''}${text}`);
  let next = 0;
  const worker = async () => {
    while (next < cases.length) {
      const c = cases[next], mark = `${t.name}-${next++}`;
      await play(t, c, mark, report(c));
      if (!t.h2) await victim(t, mark, report(c));
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  await sleep(SETTLE_MS);
  const seen = lines(settings.recorder).slice(from.seen).map((l) => JSON.parse(l));
  const decisions = records().slice(from.decided);
  const passed = await settled(t, decisions, from.front);
  compareUpstream(seen, decisions, report());
  const untraced = t.front ? compareFront(passed, decisions, report()) : 0;
  // Behind a proxy that itself takes the bytes for a request they are one to all; alone they never are.
  const marked = seen.filter((r) => /"content":"smuggled-/.test(r.body));
  if (!t.front) marked.forEach((r) => report()(`the smuggled request was seen: ${r.body}`));
  const mine = (r) => !/"content":"(victim|probe)-/.test(r.body);
  console.log(`# ${t.name.padEnd(22)} ${String(cases.length).padStart(5)} ${String(decisions.length).padStart(9)} ${String(seen.filter(mine).length).padStart(8)}` +
    ` ${String(t.front ? passed.length : '-').padStart(7)} ${String(untraced).padStart(8)} ${String(marked.length).padStart(7)}`);
  taken(t, cases, marked);
}

// What each front let through as requests of their own, for the record.
function taken(t, cases, marked) {
  const names = new Map();
  for (const r of marked) {
    const name = cases[Number(/smuggled-[a-z0-9-]*-(\d+)"/.exec(r.body)?.[1])]?.name;
    names.set(name, (names.get(name) ?? 0) + 1);
  }
  for (const [name, n] of names) console.log(`#   ${t.name} itself reads a second request: ${name} (${n})`);
}

const all = read(settings.cases);
console.log(`# ${'topology'.padEnd(22)} sent decisions upstream  passed unframed as front`);
for (const t of settings.topologies) {
  if (t.h2 && !(await h2.speaks(t.port))) {
    console.log(`# ${t.name} does not speak HTTP/2`);
    continue;
  }
  await run(t, all.filter((c) => (c.kind === 'h2') === Boolean(t.h2)));
}
wrongs.forEach((w) => console.log(w));
