// SPDX-License-Identifier: Apache-2.0
// verdicts.mjs DIRECTORY - what the conformance suite wrote there, one line "scenario check status" for each check, in
// an order that does not depend on time: two runs have the same lines exactly when they came to the same verdicts.
import { readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

const lines = [];
for (const file of readdirSync(process.argv[2], { recursive: true }).filter((f) => basename(f) === "checks.json")) {
  const scenario = dirname(file).replace(/^server-/, "").replace(/-\d{4}-\d\d-\d\dT[\d-]+Z$/, "");
  for (const check of JSON.parse(readFileSync(join(process.argv[2], file), "utf8")))
    lines.push(`${scenario} ${check.id} ${check.name} ${check.status}`);
}
console.log(lines.sort().join("\n"));
