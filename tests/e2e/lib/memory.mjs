// SPDX-License-Identifier: Apache-2.0
// memory.mjs PID NEEDLES: looks for each needle in all memory of a process and prints the names of those that are
// there. NEEDLES is a file of lines "name hex". Needs root: roles let nobody look into them.
import fs from 'node:fs';

const [pid, file] = process.argv.slice(2);
const needles = fs.readFileSync(file, 'utf8').trim().split('\n').map((l) => l.split(' ')).map(([name, hex]) => [name, Buffer.from(hex, 'hex')]);
const overlap = Math.max(...needles.map(([, b]) => b.length));
const piece = Buffer.alloc(1 << 20);
const mem = fs.openSync(`/proc/${pid}/mem`, 'r');
const found = new Set();
let bytes = 0;

// Reads from `at` on; 0 where nothing can be read, such as a page that was never touched in a special mapping.
function read(at, n) {
  try {
    return fs.readSync(mem, piece, 0, n, at);
  } catch {
    return 0;
  }
}

for (const line of fs.readFileSync(`/proc/${pid}/maps`, 'utf8').trim().split('\n')) {
  const [, from, to, name] = /^([0-9a-f]+)-([0-9a-f]+) (?:\S+ +){4}(.*)$/.exec(line);
  if (/^\[v/.test(name)) continue;
  const end = parseInt(to, 16);
  for (let at = parseInt(from, 16); at < end; ) {
    const n = read(at, Math.min(piece.length, end - at));
    if (n === 0) {
      at += 4096;
      continue;
    }
    bytes += n;
    for (const [word, needle] of needles) if (piece.subarray(0, n).includes(needle)) found.add(word);
    at += n === piece.length ? n - overlap : n;
  }
}
for (const word of found) console.log(word);
console.log(`bytes ${bytes}`);
