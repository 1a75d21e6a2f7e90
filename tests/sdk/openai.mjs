// SPDX-License-Identifier: Apache-2.0
// openai.mjs - the official client "openai", unmodified but for the base URL.
import assert from 'node:assert/strict';
import OpenAI from 'openai';
import { API_KEY, BASE_URL, MOCK_LOG, check, gateway, parallel, run, until, upstream } from './tap.mjs';

const options = { baseURL: `${BASE_URL}/v1`, apiKey: API_KEY, maxRetries: 0 };
const client = new OpenAI(options);
const user = (content) => [{ role: 'user', content }];
const args = { city: '京都', note: 'a "quoted" word, a brace } and a\nline' };
const tools = ['get_weather', 'get_time'].map((name) => ({
  type: 'function',
  function: { name, parameters: { type: 'object' } },
}));

check('chat', async () => {
  const c = await client.chat.completions.create({ model: 'gpt-4o', messages: user('count to three') });
  assert.equal(c.object, 'chat.completion');
  assert.equal(c.choices[0].message.content, 'one two three');
  assert.equal(c.choices[0].finish_reason, 'stop');
  assert.deepEqual([c.usage.prompt_tokens, c.usage.completion_tokens], [7, 3]);
});

check('chat with a tool call and its answer', async () => {
  const messages = user('What is the weather?');
  const c = await client.chat.completions.create({ model: 'gpt-4o', messages, tools });
  const { message, finish_reason } = c.choices[0];
  assert.equal(finish_reason, 'tool_calls');
  assert.deepEqual(message.tool_calls.map((t) => t.function.name), ['get_weather', 'get_time']);
  assert.deepEqual(JSON.parse(message.tool_calls[0].function.arguments), args);
  const answers = message.tool_calls.map((t) => ({ role: 'tool', tool_call_id: t.id, content: 'sunny' }));
  const end = await client.chat.completions.create({ model: 'gpt-4o', messages: [...messages, message, ...answers], tools });
  assert.equal(end.choices[0].message.content, 'It is sunny.');
});

check('chat stream', async () => {
  const stream = await client.chat.completions.create({
    model: 'gpt-4o', messages: user('count to three'), stream: true, stream_options: { include_usage: true },
  });
  let text = '', usage;
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta?.content ?? '';
    usage = chunk.usage ?? usage;
  }
  assert.equal(text, 'one two three');
  assert.deepEqual([usage.prompt_tokens, usage.completion_tokens], [7, 3]);
});

check('chat stream with tool calls, put together by the client', async () => {
  const stream = client.chat.completions.stream({ model: 'gpt-4o', messages: user('What is the weather?'), tools });
  let text = '';
  stream.on('content', (delta) => { text += delta; });
  const { message, finish_reason } = (await stream.finalChatCompletion()).choices[0];
  assert.equal(text, 'Let me look.');
  assert.equal(finish_reason, 'tool_calls');
  assert.deepEqual(message.tool_calls.map((t) => t.function.name), ['get_weather', 'get_time']);
  assert.deepEqual(JSON.parse(message.tool_calls[0].function.arguments), args);
  assert.deepEqual(JSON.parse(message.tool_calls[1].function.arguments), { zone: 'Asia/Tokyo' });
});

check('embeddings as floats and as base64', async () => {
  const input = ['one', 'two'];
  const plain = await client.embeddings.create({ model: 'embedder', input, encoding_format: 'float' });
  const packed = await client.embeddings.create({ model: 'embedder', input });
  assert.equal(plain.data.length, 2);
  assert.equal(plain.data[0].embedding.length, 8);
  assert.deepEqual(plain.data.map((d) => d.embedding), packed.data.map((d) => Array.from(d.embedding)));
  assert.notDeepEqual(plain.data[0].embedding, plain.data[1].embedding);
});

check('responses', async () => {
  const r = await client.responses.create({ model: 'gpt-4o', input: 'count to three' });
  assert.equal(r.status, 'completed');
  assert.equal(r.output_text, 'one two three');
  assert.deepEqual([r.usage.input_tokens, r.usage.output_tokens], [7, 3]);
});

check('responses stream with tool calls, put together by the client', async () => {
  const flat = tools.map((t) => ({ type: 'function', strict: false, ...t.function }));
  const stream = client.responses.stream({ model: 'gpt-4o', input: 'What is the weather?', tools: flat });
  const types = [];
  let text = '', last = -1;
  for await (const event of stream) {
    types.push(event.type);
    assert.equal(event.sequence_number, last + 1);
    last = event.sequence_number;
    if (event.type === 'response.output_text.delta') text += event.delta;
  }
  const r = await stream.finalResponse();
  const calls = r.output.filter((o) => o.type === 'function_call');
  assert.equal(text, 'Let me look.');
  assert.equal(types[0], 'response.created');
  assert.equal(types.at(-1), 'response.completed');
  assert.deepEqual(calls.map((c) => c.name), ['get_weather', 'get_time']);
  assert.deepEqual(JSON.parse(calls[0].arguments), args);
  const answers = calls.map((c) => ({ type: 'function_call_output', call_id: c.call_id, output: 'sunny' }));
  const end = await client.responses.create({ model: 'gpt-4o', input: [{ role: 'user', content: 'What is the weather?' }, ...calls, ...answers] });
  assert.equal(end.output_text, 'It is sunny.');
});

check('list of models, one model, and one that does not exist', async () => {
  const ids = [];
  for await (const m of client.models.list()) ids.push(m.id);
  assert.ok(ids.includes('gpt-4o') && ids.includes('embedder'), ids.join());
  const one = await client.models.retrieve('gpt-4o');
  assert.deepEqual([one.id, one.object], ['gpt-4o', 'model']);
  await assert.rejects(client.models.retrieve('nowhere'), OpenAI.NotFoundError);
});

check('an error of the upstream', async () => {
  const asked = client.chat.completions.create({ model: 'busy', messages: user('hello') });
  await assert.rejects(asked, (e) => e instanceof OpenAI.RateLimitError && e.status === 429 && e.message.includes('slow down'));
  const streamed = client.chat.completions.create({ model: 'busy', messages: user('hello'), stream: true });
  await assert.rejects(streamed, OpenAI.RateLimitError);
});

check('a stream that breaks off is an error, not an end', async () => {
  const stream = await client.chat.completions.create({ model: 'dropping', messages: user('hello'), stream: true });
  let chunks = 0;
  await assert.rejects(async () => { for await (const _ of stream) chunks++; });
  assert.ok(chunks >= 3, `${chunks} chunks`);
});

check('a refusal: PermissionDeniedError, whole and streamed', async () => {
  const asked = client.chat.completions.create({ model: 'secret', messages: user('refused-openai-chat') });
  await assert.rejects(asked, (e) => e instanceof OpenAI.PermissionDeniedError && e.status === 403 && Boolean(e.requestID));
  for (const attempt of [
    () => client.chat.completions.create({ model: 'secret', messages: user('refused-openai-stream'), stream: true }),
    () => client.responses.create({ model: 'secret', input: 'refused-openai-response' }),
    () => client.embeddings.create({ model: 'secret', input: 'refused-openai-embedding' }),
  ])
    await assert.rejects(attempt(), OpenAI.PermissionDeniedError);
});

check('a wrong key: AuthenticationError', async () => {
  const stranger = new OpenAI({ ...options, apiKey: 'sk-wrong' });
  await assert.rejects(stranger.chat.completions.create({ model: 'gpt-4o', messages: user('stranger-openai') }), OpenAI.AuthenticationError);
});

check('an unknown model and an unknown operation: NotFoundError', async () => {
  await assert.rejects(client.chat.completions.create({ model: 'nowhere', messages: user('hello') }), OpenAI.NotFoundError);
  await assert.rejects(client.files.list(), OpenAI.NotFoundError);
});

check('an abort in mid-stream reaches the upstream', async () => {
  const mark = `slow openai ${process.pid}`;
  const stream = await client.chat.completions.create({ model: 'gpt-4o', messages: user(mark), stream: true });
  let chunks = 0;
  for await (const _ of stream) if (++chunks === 3) break;
  assert.equal(chunks, 3);
  if (MOCK_LOG) await until('the upstream sees its client leave', () => upstream(mark).left.length === 1);
});

check('50 parallel streams', () => parallel(50, async (text) => {
  const stream = await client.chat.completions.create({ model: 'gpt-4o', messages: user(text), stream: true });
  let said = '';
  for await (const chunk of stream) said += chunk.choices[0]?.delta?.content ?? '';
  return said;
}));

if (gateway) {
  const names = (calls) => calls.map((t) => t.function?.name ?? t.name);
  const refused = /^\[The call of tool "delete_everything" \S+ was refused\. .*no-deletion/m;
  check('parallel tool calls: one is refused, whole and streamed, and the conversation goes on', async () => {
    const messages = user('clean up');
    const whole = await client.chat.completions.create({ model: 'gpt-4o', messages, tools });
    const stream = client.chat.completions.stream({ model: 'gpt-4o', messages, tools });
    let text = '';
    stream.on('content', (delta) => { text += delta; });
    const streamed = await stream.finalChatCompletion();
    assert.equal(text, streamed.choices[0].message.content);
    for (const { message, finish_reason } of [whole.choices[0], streamed.choices[0]]) {
      assert.equal(finish_reason, 'tool_calls');
      assert.deepEqual(names(message.tool_calls), ['get_weather', 'get_time']);
      assert.deepEqual(JSON.parse(message.tool_calls[1].function.arguments), { zone: 'Asia/Tokyo' });
      assert.match(message.content, /^I shall\.\n\n\[/);
      assert.match(message.content, refused);
      const answers = message.tool_calls.map((t) => ({ role: 'tool', tool_call_id: t.id, content: 'sunny' }));
      const end = await client.chat.completions.create({ model: 'gpt-4o', messages: [...messages, message, ...answers], tools });
      assert.equal(end.choices[0].message.content, 'It is sunny.');
    }
  });
  check('a tool runner never runs a refused call, and ends by itself', async () => {
    const ran = [];
    const run = (name) => ({ type: 'function', function: { name, parameters: { type: 'object' }, parse: JSON.parse, function: () => { ran.push(name); return 'sunny'; } } });
    const all = ['get_weather', 'get_time', 'delete_everything'].map(run);
    for (const stream of [false, true]) {
      ran.length = 0;
      const runner = client.chat.completions.runTools({ model: 'gpt-4o', messages: user('clean up'), tools: all, stream });
      assert.equal(await runner.finalContent(), 'It is sunny.');
      assert.deepEqual(ran, ['get_weather', 'get_time']);
      ran.length = 0;
      const none = client.chat.completions.runTools({ model: 'gpt-4o', messages: user('wipe it all'), tools: all, stream });
      assert.match(await none.finalContent(), refused);
      assert.deepEqual(ran, []);
    }
  });
  check('responses: a refused call is a message, whole and streamed', async () => {
    const flat = tools.map((t) => ({ type: 'function', strict: false, ...t.function }));
    const input = [{ role: 'user', content: 'clean up' }];
    const whole = await client.responses.create({ model: 'gpt-4o', input, tools: flat });
    const stream = client.responses.stream({ model: 'gpt-4o', input, tools: flat });
    let last = -1, text = '';
    for await (const event of stream) {
      assert.equal(event.sequence_number, last + 1);
      last = event.sequence_number;
      if (event.type === 'response.output_text.delta') text += event.delta;
    }
    const streamed = await stream.finalResponse();
    assert.equal(text, streamed.output_text);
    for (const r of [whole, streamed]) {
      const calls = r.output.filter((o) => o.type === 'function_call');
      assert.deepEqual(names(calls), ['get_weather', 'get_time']);
      assert.match(r.output_text, /delete_everything/);
      assert.equal(r.output.filter((o) => o.type === 'message').length, 2);
      const answers = calls.map((c) => ({ type: 'function_call_output', call_id: c.call_id, output: 'sunny' }));
      const end = await client.responses.create({ model: 'gpt-4o', input: [...input, ...r.output, ...answers] });
      assert.equal(end.output_text, 'It is sunny.');
    }
  });
  check('a result that answers no call, or one twice: BadRequestError', async () => {
    const call = { role: 'assistant', tool_calls: [{ id: 'c1', type: 'function', function: { name: 'get_time', arguments: '{}' } }] };
    const answer = (id) => ({ role: 'tool', tool_call_id: id, content: 'noon' });
    for (const messages of [[...user('x'), call, answer('c2')], [...user('x'), call, answer('c1'), answer('c1')]])
      await assert.rejects(client.chat.completions.create({ model: 'gpt-4o', messages }), (e) => e instanceof OpenAI.BadRequestError && e.message.includes('answers no call'));
  });
  check('a hosted tool that no policy permits: PermissionDeniedError', async () => {
    const ask = (type) => client.responses.create({ model: 'gpt-4o', input: 'count to three', tools: [{ type }] });
    assert.equal((await ask('web_search')).output_text, 'one two three');
    await assert.rejects(ask('code_interpreter'), (e) => e instanceof OpenAI.PermissionDeniedError && e.message.includes('code_interpreter'));
  });
  check('a request that breaks the API: BadRequestError', async () => {
    await assert.rejects(client.chat.completions.create({ model: 'gpt-4o', messages: [] }), (e) => e instanceof OpenAI.BadRequestError && e.message.includes('messages'));
    await assert.rejects(client.chat.completions.create({ model: 'gpt-4o', messages: user('x'), stream: 'yes' }), OpenAI.BadRequestError);
  });
  check('an upstream that sends no JSON: InternalServerError', async () => {
    await assert.rejects(client.chat.completions.create({ model: 'broken', messages: user('hello') }), (e) => e instanceof OpenAI.InternalServerError && e.status === 502);
  });
  if (MOCK_LOG)
    check('the upstream saw no refused call and no credential of the client', () => {
      assert.equal(upstream('refused-openai').requests.length, 0);
      assert.equal(upstream('stranger-openai').requests.length, 0);
      const { requests } = upstream('count to three');
      assert.ok(requests.length >= 3);
      assert.ok(requests.every((r) => !JSON.stringify(r).includes(API_KEY)));
      assert.ok(requests.every((r) => !r.headers.some(([name]) => name.toLowerCase().startsWith('x-stainless'))));
    });
}

await run('openai', gateway ? 'through the gateway' : 'directly');
