// SPDX-License-Identifier: Apache-2.0
// anthropic.mjs - the official client "@anthropic-ai/sdk", unmodified but for the base URL.
import assert from 'node:assert/strict';
import Anthropic from '@anthropic-ai/sdk';
import { API_KEY, BASE_URL, MOCK_LOG, check, gateway, parallel, run, until, upstream } from './tap.mjs';

const options = { baseURL: BASE_URL, apiKey: API_KEY, authToken: null, maxRetries: 0 };
const client = new Anthropic(options);
const args = { city: '京都', note: 'a "quoted" word, a brace } and a\nline' };
const tools = ['get_weather', 'get_time'].map((name) => ({ name, input_schema: { type: 'object' } }));
const ask = (content, more = {}) => ({ model: 'claude-x', max_tokens: 1000, messages: [{ role: 'user', content }], ...more });
const said = (m) => m.content.filter((b) => b.type === 'text').map((b) => b.text).join('');

check('messages', async () => {
  const m = await client.messages.create(ask('count to three'));
  assert.deepEqual([m.type, m.role, m.stop_reason], ['message', 'assistant', 'end_turn']);
  assert.equal(said(m), 'one two three');
  assert.deepEqual([m.usage.input_tokens, m.usage.output_tokens], [7, 3]);
});

check('a tool call and its answer', async () => {
  const m = await client.messages.create(ask('What is the weather?', { tools }));
  const calls = m.content.filter((b) => b.type === 'tool_use');
  assert.equal(m.stop_reason, 'tool_use');
  assert.deepEqual(calls.map((c) => c.name), ['get_weather', 'get_time']);
  assert.deepEqual(calls[0].input, args);
  const answers = calls.map((c) => ({ type: 'tool_result', tool_use_id: c.id, content: 'sunny' }));
  const end = await client.messages.create({
    model: 'claude-x', max_tokens: 1000, tools,
    messages: [{ role: 'user', content: 'What is the weather?' }, { role: 'assistant', content: m.content }, { role: 'user', content: answers }],
  });
  assert.equal(said(end), 'It is sunny.');
});

check('stream of events', async () => {
  const types = [];
  let text = '';
  for await (const e of await client.messages.create(ask('count to three', { stream: true }))) {
    types.push(e.type);
    if (e.type === 'content_block_delta') text += e.delta.text;
  }
  assert.equal(text, 'one two three');
  assert.equal(types[0], 'message_start');
  assert.equal(types.at(-1), 'message_stop');
});

check('stream with tools, put together by the client', async () => {
  const stream = client.messages.stream(ask('What is the weather?', { tools }));
  let text = '';
  stream.on('text', (delta) => { text += delta; });
  const m = await stream.finalMessage();
  const calls = m.content.filter((b) => b.type === 'tool_use');
  assert.equal(text, 'Let me look.');
  assert.equal(m.stop_reason, 'tool_use');
  assert.deepEqual(calls.map((c) => c.input), [args, { zone: 'Asia/Tokyo' }]);
  assert.deepEqual([m.usage.input_tokens, m.usage.output_tokens], [120, 34]);
});

check('count of tokens', async () => {
  const { input_tokens } = await client.messages.countTokens({ model: 'claude-x', messages: [{ role: 'user', content: 'count to three' }] });
  assert.equal(input_tokens, 7);
});

check('list of models, one model, and one that does not exist', async () => {
  const models = [];
  for await (const m of client.models.list()) models.push(m);
  const one = models.find((m) => m.id === 'claude-x');
  assert.ok(one && one.type === 'model' && Date.parse(one.created_at) >= 0);
  assert.equal((await client.models.retrieve('claude-x')).id, 'claude-x');
  await assert.rejects(client.models.retrieve('nowhere'), Anthropic.NotFoundError);
});

check('an error of the upstream', async () => {
  const busy = { model: gateway ? 'busy-claude' : 'busy' };
  await assert.rejects(client.messages.create(ask('hello', busy)), (e) => e instanceof Anthropic.RateLimitError && e.message.includes('slow down'));
  await assert.rejects(client.messages.create(ask('hello', { ...busy, stream: true })), Anthropic.RateLimitError);
});

check('a stream that breaks off is an error, not an end', async () => {
  const stream = await client.messages.create(ask('hello', { model: 'dropping-claude', stream: true }));
  let events = 0;
  await assert.rejects(async () => { for await (const _ of stream) events++; });
  assert.ok(events >= 2, `${events} events`);
});

check('a refusal: PermissionDeniedError, whole and streamed', async () => {
  const secret = { model: gateway ? 'secret-claude' : 'secret' };
  await assert.rejects(client.messages.create(ask('refused-anthropic', secret)), (e) => e instanceof Anthropic.PermissionDeniedError && e.status === 403 && e.error.error.type === 'permission_error' && Boolean(e.error.request_id));
  await assert.rejects(client.messages.create(ask('refused-anthropic', { ...secret, stream: true })), Anthropic.PermissionDeniedError);
  await assert.rejects(client.messages.stream(ask('refused-anthropic', secret)).finalMessage(), Anthropic.PermissionDeniedError);
});

check('a wrong key: AuthenticationError', async () => {
  const stranger = new Anthropic({ ...options, apiKey: 'sk-wrong' });
  await assert.rejects(stranger.messages.create(ask('stranger-anthropic')), Anthropic.AuthenticationError);
});

check('a token as Authorization: Bearer is as good as x-api-key', async () => {
  const other = new Anthropic({ ...options, apiKey: null, authToken: API_KEY });
  assert.equal(said(await other.messages.create(ask('count to three'))), 'one two three');
});

check('an unknown model and an unknown operation: NotFoundError', async () => {
  await assert.rejects(client.messages.create(ask('hello', { model: 'nowhere' })), Anthropic.NotFoundError);
  await assert.rejects(client.messages.batches.list(), (e) => e instanceof Anthropic.NotFoundError && e.error.error.type === 'not_found_error');
});

check('an abort in mid-stream reaches the upstream', async () => {
  const mark = `slow anthropic ${process.pid}`;
  let events = 0;
  for await (const _ of await client.messages.create(ask(mark, { stream: true }))) if (++events === 5) break;
  assert.equal(events, 5);
  if (MOCK_LOG) await until('the upstream sees its client leave', () => upstream(mark).left.length === 1);
});

check('50 parallel streams', () => parallel(50, async (text) => said(await client.messages.stream(ask(text)).finalMessage())));

if (gateway) {
  const refused = /^\[The call of tool "delete_everything" \S+ was refused\. .*no-deletion/m;
  check('parallel tool calls: one is refused, whole and streamed, and the conversation goes on', async () => {
    const whole = await client.messages.create(ask('clean up', { tools }));
    const streamed = await client.messages.stream(ask('clean up', { tools })).finalMessage();
    for (const m of [whole, streamed]) {
      assert.equal(m.stop_reason, 'tool_use');
      assert.deepEqual(m.content.map((b) => b.type), ['text', 'tool_use', 'text', 'tool_use']);
      const calls = m.content.filter((b) => b.type === 'tool_use');
      assert.deepEqual(calls.map((c) => c.name), ['get_weather', 'get_time']);
      assert.deepEqual(calls[1].input, { zone: 'Asia/Tokyo' });
      assert.match(m.content[2].text, refused);
      const answers = calls.map((c) => ({ type: 'tool_result', tool_use_id: c.id, content: 'sunny' }));
      const end = await client.messages.create({
        model: 'claude-x', max_tokens: 1000, tools,
        messages: [{ role: 'user', content: 'clean up' }, { role: 'assistant', content: m.content }, { role: 'user', content: answers }],
      });
      assert.equal(said(end), 'It is sunny.');
    }
  });
  check('a tool runner never runs a refused call, and ends by itself', async () => {
    const ran = [];
    const run = (name) => ({ name, input_schema: { type: 'object' }, run: () => { ran.push(name); return 'sunny'; } });
    const all = ['get_weather', 'get_time', 'delete_everything'].map(run);
    for (const stream of [false, true]) {
      ran.length = 0;
      assert.equal(said(await client.beta.messages.toolRunner({ ...ask('clean up'), tools: all, stream }).runUntilDone()), 'It is sunny.');
      assert.deepEqual(ran.sort(), ['get_time', 'get_weather']);
      ran.length = 0;
      const none = await client.beta.messages.toolRunner({ ...ask('wipe it all'), tools: all, stream }).runUntilDone();
      assert.match(said(none), refused);
      assert.equal(none.stop_reason, 'end_turn');
      assert.deepEqual(ran, []);
    }
  });
  check('a result that answers no call: BadRequestError', async () => {
    const answer = { type: 'tool_result', tool_use_id: 'toolu_none', content: 'noon' };
    await assert.rejects(client.messages.create({ ...ask('x'), messages: [{ role: 'user', content: [answer] }] }), (e) => e instanceof Anthropic.BadRequestError && e.message.includes('answers no call'));
  });
  check('a hosted tool that no policy permits: PermissionDeniedError', async () => {
    const hosted = { tools: [{ type: 'code_execution_20250825', name: 'code_execution' }] };
    await assert.rejects(client.messages.create(ask('x', hosted)), (e) => e instanceof Anthropic.PermissionDeniedError && e.message.includes('code_execution_20250825'));
  });
  check('a request that breaks the API: BadRequestError', async () => {
    await assert.rejects(client.messages.create(ask('x', { messages: [] })), (e) => e instanceof Anthropic.BadRequestError && e.message.includes('messages'));
  });
  if (MOCK_LOG)
    check('the upstream saw no refused call and no credential of the client', () => {
      assert.equal(upstream('refused-anthropic').requests.length, 0);
      assert.equal(upstream('stranger-anthropic').requests.length, 0);
      const { requests } = upstream('claude-x');
      assert.ok(requests.length >= 3);
      assert.ok(requests.every((r) => !JSON.stringify(r).includes(API_KEY)));
      assert.ok(requests.every((r) => r.headers.some(([name, value]) => name.toLowerCase() === 'x-api-key' && value === 'sk-provider')));
      assert.ok(requests.every((r) => r.headers.some(([name]) => name.toLowerCase() === 'anthropic-version')));
    });
}

await run('anthropic', gateway ? 'through the gateway' : 'directly');
