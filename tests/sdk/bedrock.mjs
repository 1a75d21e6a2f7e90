// SPDX-License-Identifier: Apache-2.0
// bedrock.mjs - the official client of Amazon Bedrock, unmodified but for its endpoint. It speaks HTTP/2 alone, over
// TLS and with prior knowledge in cleartext. Its dialect is not served: what it must get is a clear refusal.
import assert from 'node:assert/strict';
import { BedrockRuntimeClient, ConverseStreamCommand, InvokeModelCommand } from '@aws-sdk/client-bedrock-runtime';
import { BASE_URL, check, run } from './tap.mjs';

const client = new BedrockRuntimeClient({
  region: 'us-east-1', endpoint: BASE_URL, maxAttempts: 1, credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'example' },
});

async function refused(command) {
  const e = await client.send(command).then(() => assert.fail('it was served'), (e) => e);
  assert.equal(e.$metadata?.httpStatusCode, 404, e.stack);
  assert.equal(e.$response.headers[':status'], 404); // what only HTTP/2 has
  assert.equal(e.$response.headers['x-nakoso-refused'], 'unknown_endpoint');
  assert.match(e.$response.headers['x-request-id'], /^[0-9a-f]{8}-[0-9a-f]{10}$/);
}

check('a call that is not known is refused in a well-formed answer', () =>
  refused(new InvokeModelCommand({ modelId: 'echo', body: '{"a":1}', contentType: 'application/json' })));
check('so is a streamed one', () =>
  refused(new ConverseStreamCommand({ modelId: 'echo', messages: [{ role: 'user', content: [{ text: 'hello' }] }] })));
check('many at once share a connection', () =>
  Promise.all(Array.from({ length: 40 }, () => refused(new InvokeModelCommand({ modelId: 'echo', body: '{}', contentType: 'application/json' })))));

await run('@aws-sdk/client-bedrock-runtime', new URL(BASE_URL).protocol === 'https:' ? 'http/2 over TLS' : 'http/2 in cleartext');
client.destroy();
