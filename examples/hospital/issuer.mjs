// SPDX-License-Identifier: Apache-2.0
// The hospital's identity issuer, as small as it can be: Node.js alone, no packages.
//
//   node issuer.mjs keys DIR [EdDSA|ES256|RS256]   makes DIR/issuer.jwk (private, mode 0600) and
//                                                  DIR/jwks.json (public), unless they are there
//   node issuer.mjs token DIR SUB                  prints a token for one of the people below
//
// A real issuer asks for a password or a passkey first; this one believes whoever runs it.
import { createPrivateKey, createHash, generateKeyPairSync, sign } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const ISSUER = "https://login.hospital.example";
const HOURS = 12;
const PEOPLE = {
  "john.doe": { name: "John Doe", role: "receptionist", groups: ["front-office"] },
  "jane.smith": { name: "Jane Smith", role: "doctor", groups: ["physicians"] },
};
const KINDS = {
  EdDSA: { make: () => generateKeyPairSync("ed25519"), hash: null, members: ["crv", "kty", "x"] },
  ES256: {
    make: () => generateKeyPairSync("ec", { namedCurve: "P-256" }),
    hash: "sha256",
    members: ["crv", "kty", "x", "y"],
  },
  RS256: {
    make: () => generateKeyPairSync("rsa", { modulusLength: 2048 }),
    hash: "sha256",
    members: ["e", "kty", "n"],
  },
};

const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

// The key's name is its thumbprint (RFC 7638).
function thumbprint(jwk, members) {
  const canonical = JSON.stringify(Object.fromEntries(members.map((m) => [m, jwk[m]])));
  return createHash("sha256").update(canonical).digest("base64url");
}

function makeKeys(dir, alg) {
  const file = join(dir, "issuer.jwk");
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  if (existsSync(file)) return;
  const { publicKey, privateKey } = KINDS[alg].make();
  const jwk = publicKey.export({ format: "jwk" });
  const about = { kid: thumbprint(jwk, KINDS[alg].members), alg, use: "sig" };
  writeFileSync(file, JSON.stringify({ ...privateKey.export({ format: "jwk" }), ...about }), { mode: 0o600 });
  writeFileSync(join(dir, "jwks.json"), JSON.stringify({ keys: [{ ...jwk, ...about }] }, null, 2) + "\n");
}

function token(dir, sub) {
  const jwk = JSON.parse(readFileSync(join(dir, "issuer.jwk"), "utf8"));
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: ISSUER, aud: "nakoso", sub, iat: now, nbf: now, exp: now + HOURS * 3600, ...PEOPLE[sub] };
  const input = `${encode({ typ: "JWT", alg: jwk.alg, kid: jwk.kid })}.${encode(claims)}`;
  const key = { key: createPrivateKey({ key: jwk, format: "jwk" }), dsaEncoding: "ieee-p1363" };
  return `${input}.${sign(KINDS[jwk.alg].hash, Buffer.from(input), key).toString("base64url")}`;
}

const [command, dir, what] = process.argv.slice(2);
if (command === "keys" && dir && (what ?? "EdDSA") in KINDS) {
  makeKeys(dir, what ?? "EdDSA");
} else if (command === "token" && dir && what in PEOPLE) {
  console.log(token(dir, what));
} else {
  console.error("usage: issuer.mjs keys DIR [EdDSA|ES256|RS256]\n       issuer.mjs token DIR SUB");
  console.error(`people: ${Object.keys(PEOPLE).join(", ")}`);
  process.exit(2);
}
