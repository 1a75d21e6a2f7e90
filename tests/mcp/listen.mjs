// SPDX-License-Identifier: Apache-2.0
// listen.mjs FIRST - the official client of 2026-07-28, unmodified, subscribes at an endpoint with several servers (new.mjs at
// NEW_PORTS, the names new and newer). The environment: NEWS, CAROL, FIXTURE_LOG (what servers say).
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { Client, StreamableHTTPClientTransport } from "@modelcontextprotocol/client";
import { check, run, until } from "./tap.mjs";

const { NEWS, NEW_PORTS, CAROL, FIXTURE_LOG } = process.env;
const headers = { authorization: `Bearer ${CAROL}` };

async function connected(use) {
  const client = new Client({ name: "official", version: "1" }, { versionNegotiation: { mode: { pin: "2026-07-28" } } });
  await client.connect(new StreamableHTTPClientTransport(new URL(NEWS), { requestInit: { headers } }));
  const heard = [];
  client.setNotificationHandler("notifications/tools/list_changed", () => { heard.push("tools"); });
  client.setNotificationHandler("notifications/resources/updated", (n) => { heard.push(n.params.uri); });
  try {
    await use(client, heard);
  } finally {
    await client.close();
  }
}
const call = (client, name) => client.callTool({ name, arguments: {} });

check("one subscription hears of all servers, and of each server's resources what it wants", () => connected(async (client, heard) => {
  const wanted = { toolsListChanged: true, resourceSubscriptions: ["new+new://page", "newer+new://other", "third+new://page", "new://page"] };
  const subscription = await client.listen(wanted);
  assert.deepEqual(subscription.honoredFilter, { toolsListChanged: true, resourceSubscriptions: ["new+new://page", "newer+new://other"] });
  for (const [server, uri] of [["newer", "newer+new://other"], ["new", "new+new://page"]]) {
    await call(client, `${server}___tell`);
    await until(`what ${server} says`, () => heard.length === 2);
    assert.deepEqual(heard.splice(0).sort(), [uri, "tools"]);
  }
  await sleep(100);
  const before = Date.now();
  await subscription.close();
  const left = () => NEW_PORTS.split(" ").map((p) =>
    Number([...readFileSync(FIXTURE_LOG, "utf8").matchAll(RegExp(`subscription at ${p} over at (\\d+)`, "g"))].at(-1)?.[1] ?? 0));
  await until("both hear that the client left", () => left().every((t) => t >= before));
  console.log(`# the servers heard ${left().map((t) => t - before).join(" and ")} ms after the client had left`);
  await call(client, "new___tell");
  await sleep(50);
  assert.deepEqual(heard, []);
}));

check("who wants nothing that there is hears so, and that it is over", () => connected(async (client) => {
  const subscription = await client.listen({ resourceSubscriptions: ["third+new://page"] });
  assert.deepEqual(subscription.honoredFilter, {});
  assert.equal(await subscription.closed, "graceful");
}));

check("a server that ends does not end the others' subscription; the last one does", () => connected(async (client, heard) => {
  const subscription = await client.listen({ toolsListChanged: true });
  await call(client, "newer___end");
  await sleep(100);
  await call(client, "new___tell");
  await until("what the other says", () => heard.length === 1);
  await call(client, "new___end");
  assert.equal(await subscription.closed, "graceful");
}));

await run("mcp", "subscriptions to several servers");
