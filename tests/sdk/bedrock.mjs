// SPDX-License-Identifier: Apache-2.0
// bedrock.mjs - the official client of Amazon Bedrock's runtime, unmodified but for its endpoint: over HTTP/2 with prior
// knowledge (its default), over TLS, and over HTTP/1.1 (WAY=h1); signed by SigV4, or with a bearer token (API_KEY). The
// models behind it speak the APIs of OpenAI (gpt-4o) and Anthropic (claude-x), and know nothing of Bedrock.
import assert from 'node:assert/strict';
import {
  AccessDeniedException, BedrockRuntimeClient, ConverseCommand, ConverseStreamCommand, InvokeModelCommand, InvokeModelWithResponseStreamCommand,
  ModelStreamErrorException, ResourceNotFoundException, ThrottlingException, ValidationException,
} from '@aws-sdk/client-bedrock-runtime';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { API_KEY, BASE_URL, MOCK_LOG, check, parallel, run, until, upstream } from './tap.mjs';

const { WAY, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, STRANGER_SECRET } = process.env;
const arn = 'arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-x-v1:0';
const make = (more = {}) => new BedrockRuntimeClient({
  region: 'us-east-1', endpoint: BASE_URL, maxAttempts: 1, credentials: { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY },
  ...(WAY === 'h1' ? { requestHandler: new NodeHttpHandler() } : {}), ...more,
});
const client = make();
const user = (...content) => ({ role: 'user', content: content.map((c) => (typeof c === 'string' ? { text: c } : c)) });
const ask = (modelId, text, more = {}) => ({ modelId, messages: [user(text)], ...more });
const converse = (input, by = client) => by.send(new ConverseCommand(input));
const said = (content) => content.filter((b) => b.text !== undefined).map((b) => b.text).join('');
const toolConfig = { tools: ['get_weather', 'get_time'].map((name) => ({ toolSpec: { name, description: 'tells', inputSchema: { json: { type: 'object' } } } })) };
const weather = { city: '京都', note: 'a "quoted" word, a brace } and a\nline' };
const models = ['gpt-4o', 'claude-x', arn];

// A streamed answer put together: what it says, its calls, how it ended.
async function stream(input, by = client) {
  const got = { types: [], text: '', calls: [] };
  for await (const e of (await by.send(new ConverseStreamCommand(input))).stream) {
    const [type] = Object.keys(e);
    got.types.push(type);
    if (type === 'contentBlockStart') got.calls.push({ ...e.contentBlockStart.start.toolUse, json: '', at: e.contentBlockStart.contentBlockIndex });
    else if (e.contentBlockDelta?.delta.toolUse) got.calls.find((c) => c.at === e.contentBlockDelta.contentBlockIndex).json += e.contentBlockDelta.delta.toolUse.input;
    else if (e.contentBlockDelta) got.text += e.contentBlockDelta.delta.text;
    else if (type === 'messageStop') got.stop = e.messageStop.stopReason;
    else if (type === 'metadata') got.usage = e.metadata.usage;
  }
  return got;
}
async function fails(type, promise) {
  const e = await promise.then(() => assert.fail('it was answered'), (e) => e);
  if (typeof type === 'string') assert.equal(e.name, type, e.stack);
  else assert.ok(e instanceof type, e.stack);
  return e;
}

for (const model of models) {
  const name = model.split('/').at(-1);
  check(`Converse: ${name}`, async () => {
    const r = await converse(ask(model, 'count to three', { system: [{ text: 'Be brief.' }], inferenceConfig: { maxTokens: 100, temperature: 0.1, topP: 0.9, stopSequences: ['END'] } }));
    assert.equal(r.output.message.role, 'assistant');
    assert.deepEqual([said(r.output.message.content), r.stopReason], ['one two three', 'end_turn']);
    assert.deepEqual([r.usage.inputTokens, r.usage.outputTokens, r.usage.totalTokens], [7, 3, 10]);
    assert.ok(r.metrics.latencyMs >= 0);
    assert.match(r.$metadata.requestId, /^[0-9a-f]{8}-[0-9a-f]{10}$/);
  });
  check(`Converse with parallel tool calls, and their results: ${name}`, async () => {
    const first = await converse(ask(model, 'What is the weather?', { toolConfig }));
    const calls = first.output.message.content.filter((b) => b.toolUse).map((b) => b.toolUse);
    assert.equal(first.stopReason, 'tool_use');
    assert.deepEqual(calls.map((c) => [c.name, c.input]), [['get_weather', weather], ['get_time', { zone: 'Asia/Tokyo' }]]);
    const results = calls.map((c, i) => ({ toolResult: { toolUseId: c.toolUseId, content: [i ? { text: 'noon' } : { json: { sky: '晴れ' } }], status: i ? 'error' : 'success' } }));
    const end = await converse({ modelId: model, toolConfig, messages: [user('What is the weather?'), first.output.message, user(...results)] });
    assert.equal(said(end.output.message.content), 'It is sunny.');
  });
  check(`ConverseStream: ${name}`, async () => {
    const got = await stream(ask(model, 'count to three'));
    assert.deepEqual([got.text, got.stop, got.usage.totalTokens], ['one two three', 'end_turn', 10]);
    assert.deepEqual([got.types[0], got.types.at(-3), got.types.at(-2), got.types.at(-1)], ['messageStart', 'contentBlockStop', 'messageStop', 'metadata']);
  });
  check(`ConverseStream with tool calls: ${name}`, async () => {
    const got = await stream(ask(model, 'What is the weather?', { toolConfig }));
    assert.deepEqual([got.text, got.stop], ['Let me look.', 'tool_use']);
    assert.deepEqual(got.calls.map((c) => [c.name, JSON.parse(c.json), c.at]), [['get_weather', weather, 1], ['get_time', { zone: 'Asia/Tokyo' }, 2]]);
  });
}

const body = (text, more = {}) => JSON.stringify({ anthropic_version: 'bedrock-2023-05-31', max_tokens: 100, messages: [{ role: 'user', content: text }], ...more });
check('InvokeModel with a body of Anthropic; without a content type as well', async () => {
  for (const more of [{ contentType: 'application/json', accept: 'application/json' }, {}]) {
    const r = await client.send(new InvokeModelCommand({ modelId: 'claude-x', body: body('count to three'), ...more }));
    const m = JSON.parse(r.body.transformToString());
    assert.deepEqual([m.content[0].text, m.stop_reason, m.usage.output_tokens, r.contentType], ['one two three', 'end_turn', 3, 'application/json']);
  }
});
check('InvokeModelWithResponseStream', async () => {
  const r = await client.send(new InvokeModelWithResponseStreamCommand({ modelId: arn, body: body('What is the weather?', { tools: [{ name: 'get_weather', input_schema: { type: 'object' } }] }), contentType: 'application/json' }));
  const events = [];
  for await (const e of r.body) events.push(JSON.parse(Buffer.from(e.chunk.bytes).toString()));
  assert.deepEqual([events[0].type, events.at(-1).type], ['message_start', 'message_stop']);
  const json = (index) => events.filter((e) => e.index === index && e.delta?.type === 'input_json_delta').map((e) => e.delta.partial_json).join('');
  assert.deepEqual(JSON.parse(json(events.find((e) => e.content_block?.name === 'get_weather').index)), weather);
});
check('bodies of other families are refused, with what to do', async () => {
  const e = await fails(ValidationException, client.send(new InvokeModelCommand({ modelId: 'claude-x', body: '{"inputText":"hi"}', contentType: 'application/json' })));
  assert.match(e.message, /use Converse/);
  await fails(ValidationException, client.send(new InvokeModelCommand({ modelId: 'gpt-4o', body: body('hi'), contentType: 'application/json' })));
});
check('refusals are the exceptions of the API, whole and streamed', async () => {
  for (const send of [converse, stream]) {
    assert.match((await fails(AccessDeniedException, send(ask('secret', 'hi')))).message, /secrets/);
    await fails(ResourceNotFoundException, send(ask('nowhere', 'hi')));
    assert.match((await fails(ThrottlingException, send(ask('busy', 'hi')))).message, /slow down/);
    assert.match((await fails(ValidationException, send(ask('gpt-4o', 'hi', { guardrailConfig: { guardrailIdentifier: 'g', guardrailVersion: '1' } })))).message, /guardrailConfig/);
    await fails(ValidationException, send({ modelId: 'gpt-4o', messages: [] }));
  }
});
check('a stream that breaks off is an exception, not an end', async () => {
  for (const model of ['dropping', 'dropping-claude']) await fails(ModelStreamErrorException, stream(ask(model, 'hi')));
});
check('a signature that does not hold', async () => {
  const stranger = make({ credentials: { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: STRANGER_SECRET } });
  await fails('UnrecognizedClientException', converse(ask('gpt-4o', 'hi'), stranger));
  await fails('UnrecognizedClientException', stream(ask(arn, 'hi'), stranger));
  stranger.destroy();
});
check('a bearer token proves who asks as well', async () => {
  const bearer = make({ credentials: undefined, token: { token: API_KEY }, authSchemePreference: ['httpBearerAuth'] });
  assert.equal(said((await converse(ask('gpt-4o', 'count to three'), bearer)).output.message.content), 'one two three');
  assert.equal((await stream(ask(arn, 'count to three'), bearer)).text, 'one two three');
  bearer.destroy();
});
check('an abort in mid-stream reaches the upstream', async () => {
  const mark = `slow bedrock ${process.pid} ${WAY}`;
  const abort = new AbortController();
  const r = await client.send(new ConverseStreamCommand(ask('gpt-4o', mark)), { abortSignal: abort.signal });
  let events = 0;
  for await (const _ of r.stream) if (++events === 4) break;
  abort.abort();
  await until('the upstream sees its client leave', () => upstream(mark).left.length === 1);
});
check('40 at once', () => parallel(40, async (text) => (await stream(ask(text.length % 2 ? 'gpt-4o' : 'claude-x', text))).text));
check('nothing of Bedrock reaches the model, nor any credential of the client', async () => {
  const mark = `mark ${process.pid} ${WAY}`;
  await converse(ask('claude-x', mark));
  const [request] = upstream(mark).requests;
  assert.doesNotMatch(JSON.stringify(request), /AWS4-HMAC|x-amz|NKSV|converse/i);
});

await run('@aws-sdk/client-bedrock-runtime', WAY === 'h1' ? 'http/1.1' : new URL(BASE_URL).protocol === 'https:' ? 'http/2 over TLS' : 'http/2 in cleartext');
client.destroy();
process.exit();
