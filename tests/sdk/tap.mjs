// SPDX-License-Identifier: Apache-2.0
// tap.mjs - checks of one program in TAP, one after the other; and what the programs are told by their
// environment: BASE_URL (without /v1), API_KEY, GATEWAY (1: a gateway is in between), MOCK_LOG (the log
// of the mock that answers in the end, or nothing).
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';

export const { BASE_URL, API_KEY, MOCK_LOG } = process.env;
export const gateway = process.env.GATEWAY === '1';

const checks = [];
export const check = (name, run) => checks.push([name, run]);

// Runs all checks; the number of the first comes as an argument, so that programs can follow each other.
export async function run(client, way) {
  const title = `${client}, ${way}`;
  let number = Number(process.argv[2] ?? 1);
  let failed = 0;
  for (const [name, body] of checks) {
    try {
      await body();
      console.log(`ok ${number} - ${title}: ${name}`);
    } catch (e) {
      failed++;
      console.log(`not ok ${number} - ${title}: ${name}`);
      console.log(String(e?.stack ?? e).replace(/^/gm, '#   '));
    }
    number++;
  }
  process.exitCode = failed ? 1 : 0;
}

// Waits for what becomes true soon; fails when it does not.
export async function until(what, holds) {
  for (let i = 0; i < 500; i++) {
    if (await holds()) return;
    await new Promise((r) => setTimeout(r, 10));
  }
  assert.fail(`${what}: not within 5 seconds`);
}

// Requests that reached the mock, and clients that left it, whose body holds `text`.
export function upstream(text) {
  const lines = readFileSync(MOCK_LOG, 'utf8').split('\n').filter(Boolean).map((l) => JSON.parse(l));
  const requests = lines.filter((l) => l.body?.includes(text));
  const left = lines.filter((l) => l.left && requests.some((r) => r.n === l.n));
  return { requests, left };
}

// Runs `count` streams at once; each must bring back exactly what was asked of it.
export async function parallel(count, stream) {
  const asked = Array.from({ length: count }, (_, i) => `parallel ${i} ${'あ'.repeat(i)} end`);
  const said = await Promise.all(asked.map((text) => stream(text)));
  assert.deepEqual(said, asked.map((text) => `You said: ${text}`));
}
