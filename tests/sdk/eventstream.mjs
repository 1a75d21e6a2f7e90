// SPDX-License-Identifier: Apache-2.0
// eventstream.mjs - AWS's own codec of event streams as the oracle of ours: COUNT random messages, whole and with
// one byte wrong. What AWS's codec wrote must come back byte for byte (CODEC echo reads and writes it); what it refuses
// must be refused.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { EventStreamCodec, Int64 } from '@smithy/eventstream-codec';
import { check, run } from './tap.mjs';

const { CODEC, COUNT: count } = process.env;
const codec = new EventStreamCodec((b) => Buffer.from(b).toString('utf8'), (s) => Buffer.from(s, 'utf8'));
let seed = 20261126;
const below = (n) => { seed = (Math.imul(seed, 1103515245) + 12345) >>> 0; return Math.floor((seed / 2 ** 32) * n); };
const bytes = (n) => Uint8Array.from({ length: n }, () => below(256));
const text = () => Array.from({ length: below(20) }, () => ['a', 'Z', '9', '"', '\\', '\n', 'é', '京', '😀'][below(9)]).join('');
const values = [
  () => ({ type: 'boolean', value: below(2) === 1 }),
  () => ({ type: 'byte', value: below(256) - 128 }),
  () => ({ type: 'short', value: below(65536) - 32768 }),
  () => ({ type: 'integer', value: below(2 ** 32) - 2 ** 31 }),
  () => ({ type: 'long', value: new Int64(bytes(8)) }),
  () => ({ type: 'binary', value: bytes(below(300)) }),
  () => ({ type: 'string', value: text() }),
  () => ({ type: 'timestamp', value: new Date(below(2 ** 31) * 1000) }),
  () => ({ type: 'uuid', value: Buffer.from(bytes(16)).toString('hex').replace(/(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-') }),
];
const message = () => ({
  headers: Object.fromEntries(Array.from({ length: below(12) }, (_, i) => [`${text()}${i}`, values[below(values.length)]()])),
  body: bytes(below(2000)),
});
const whole = Array.from({ length: Number(count) }, () => Buffer.from(codec.encode(message())));
const broken = whole.map((b) => { const c = Buffer.from(b); c[below(c.length)] ^= 1 << below(8); return c; });
const sized = (b) => { const n = Buffer.alloc(4); n.writeUInt32BE(b.length); return [n, b]; };

const child = spawn(CODEC, ['echo'], { stdio: ['pipe', 'pipe', 'inherit'] });
child.stdin.end(Buffer.concat([...whole, ...broken].flatMap(sized)));
let out = '';
for await (const piece of child.stdout) out += piece;
const lines = out.trim().split('\n');

check(`${count} random messages of AWS's codec are read and written again alike`, () =>
  whole.forEach((b, i) => assert.equal(lines[i], b.toString('hex'))));
check('with one bit wrong both refuse them', () => broken.forEach((b, i) => {
  assert.match(lines[whole.length + i], /^E[A-Z]+$/);
  assert.throws(() => codec.decode(b));
}));
await run('@smithy/eventstream-codec', process.version);
