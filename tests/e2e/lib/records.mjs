// SPDX-License-Identifier: Apache-2.0
// records.mjs DIRECTORY ANSWERS: holds the audit log of DIRECTORY against what clients saw (lines of load.mjs or
// steady.mjs) and prints what is wrong: each answered request has one decision and one outcome, records of each
// gate are in order without a gap, and those of the log as well.
import fs from 'node:fs';
import path from 'node:path';
import readline from 'node:readline';

const [directory, answers] = process.argv.slice(2);
const next = new Map(), decided = new Map(), done = new Map();
const lines = (file) => readline.createInterface({ input: fs.createReadStream(file) });
let n = 0, answered = 0;

for (const file of fs.readdirSync(directory).filter((f) => f.endsWith('.jsonl')).sort()) {
  for await (const line of lines(path.join(directory, file))) {
    if (!line) continue;
    const r = JSON.parse(line);
    if (r.n !== n++) console.log(`record ${n - 1} says that it is ${r.n}`);
    if (r.seq !== (next.get(r.gate) ?? 0)) console.log(`gate ${r.gate}: ${r.seq} instead of ${next.get(r.gate) ?? 0}`);
    next.set(r.gate, r.seq + 1);
    if (r.event === 'invalid' || r.event === 'broken') console.log(line);
    const seen = r.kind === 'decision' ? decided : r.kind === 'outcome' ? done : null;
    if (!seen) continue;
    if (seen.has(r.request)) console.log(`${r.request} has two records of kind ${r.kind}`);
    seen.set(r.request, r.how);
  }
}
for await (const line of lines(answers)) {
  const [, status, id] = line.split(' ');
  if (status !== '200') continue;
  answered++;
  if (!decided.has(id)) console.log(`no decision: ${id}`);
  if (done.get(id) !== 'complete') console.log(`no outcome: ${id}`);
}
if (!answered) console.log('nothing was answered');
