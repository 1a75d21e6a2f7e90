// SPDX-License-Identifier: Apache-2.0
// differences.mjs TABLE DIRECT THROUGH [DIRECT THROUGH…] - compares verdicts (the lines of verdicts.mjs) and says what TABLE does not
// explain, and which of its lines explain nothing. INFO is what happened on the way, no verdict.
import { readFileSync } from "node:fs";

const [table, ...files] = process.argv.slice(2);
const explained = readFileSync(table, "utf8").split("\n").filter((l) => l && !l.startsWith("#")).map((l) => {
  const [scenario, check, direct, through] = l.split(/\s+/);
  const glob = (text) => new RegExp(`^${text.replaceAll(/[.*+?^${}()|[\]\\]/g, (c) => (c === "*" ? ".*" : `\\${c}`))}$`);
  return { line: l, used: false, fits: (v) => glob(scenario).test(v.scenario) && glob(check).test(v.check) && v.direct === direct && v.through === through };
});

// What came out of each check: all of its verdicts, once.
function verdicts(file) {
  const all = new Map();
  for (const line of new Set(readFileSync(file, "utf8").split("\n"))) {
    const [, scenario, check, name, status] = /^(\S+) (\S+) (.*) ([A-Z]+)$/.exec(line) ?? [];
    const key = `${scenario} ${check} ${check === name ? "" : name}`;
    if (status && status !== "INFO") all.set(key, { scenario, check, status: [...all.get(key)?.status ?? [], status].sort() });
  }
  return all;
}

for (let i = 0; i < files.length; i += 2) {
  const direct = verdicts(files[i]), through = verdicts(files[i + 1]);
  let same = 0;
  for (const key of new Set([...direct.keys(), ...through.keys()])) {
    const said = (all) => all.get(key)?.status.join("+") ?? "-";
    const v = { ...direct.get(key) ?? through.get(key), direct: said(direct), through: said(through) };
    if (v.direct === v.through) { same++; continue; }
    const why = explained.find((e) => e.fits(v));
    if (why) why.used = true;
    else console.log(`${key}: ${v.direct} directly, ${v.through} through the gateway`);
  }
  console.error(`# ${files[i + 1]}: ${same} checks alike`);
}
for (const e of explained) if (!e.used) console.log(`explains nothing: ${e.line}`);
