// SPDX-License-Identifier: Apache-2.0
// records.mjs AUDIT LOAD: prints what is wrong between the answers that clients saw (load.mjs) and the audit log: each
// request with status 200 has a decision and one outcome that is complete.
import fs from 'node:fs';
import path from 'node:path';
import readline from 'node:readline';

const [audit, load] = process.argv.slice(2);
const decided = new Set(), done = new Map();
const lines = (file) => readline.createInterface({ input: fs.createReadStream(file) });

for (const file of fs.readdirSync(audit).filter((f) => f.endsWith('.jsonl')).sort()) {
  for await (const line of lines(path.join(audit, file))) {
    const [, kind] = /"kind":"([a-z]+)"/.exec(line) ?? [];
    if (kind !== 'decision' && kind !== 'outcome') continue;
    const r = JSON.parse(line);
    if (kind === 'decision') decided.add(r.request);
    else if (done.has(r.request)) console.log(`two outcomes: ${r.request}`);
    else done.set(r.request, r.how);
  }
}
let answered = 0;
for await (const line of lines(load)) {
  const [, status, id] = line.split(' ');
  if (status !== '200') continue;
  answered++;
  if (!decided.has(id)) console.log(`answered without a decision record: ${id}`);
  if (done.get(id) !== 'complete') console.log(`answered without an outcome record: ${id}`);
}
if (!answered) console.log('nothing was answered');
