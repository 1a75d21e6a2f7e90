// SPDX-License-Identifier: Apache-2.0
// dns.mjs ADDRESS…: a name server on 127.0.0.1 (UDP, port 53 or DNS_PORT) that answers every question for an A record
// whose first label begins with "at" by the address of that number: at0.example.com, at1.example.com …
import dgram from 'node:dgram';

const addresses = process.argv.slice(2);
const server = dgram.createSocket('udp4');
server.on('message', (q, from) => {
  let end = 12;
  while (q[end]) end += q[end] + 1;
  const name = q.subarray(13, 13 + q[12]).toString(), type = q.readUInt16BE(end + 1);
  const address = type === 1 && name.startsWith('at') ? addresses[Number(name.slice(2))] : undefined;
  const head = Buffer.from(q.subarray(0, end + 5));
  head.writeUInt16BE(0x8180, 2);
  head.writeUInt16BE(1, 4);
  head.writeUInt16BE(address ? 1 : 0, 6);
  head.writeUInt32BE(0, 8);
  const answer = address ? Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, ...address.split('.').map(Number)]) : Buffer.alloc(0);
  server.send(Buffer.concat([head, answer]), from.port, from.address);
});
server.bind(Number(process.env.DNS_PORT ?? 53), '127.0.0.1', () => console.log('ready'));
