// SPDX-License-Identifier: Apache-2.0
// smuggling_cases.mjs: reads tests/cases/smuggling/*.cases (their README tells the form) and makes of each case
// and each of its `each` lines the bytes of one message.
import fs from 'node:fs';
import path from 'node:path';

const escapes = { r: '\r', n: '\n', t: '\t', '\\': '\\' };
const unescape = (s) => s.replace(/\\(?:x([0-9a-f]{2})|([rnt\\]))/gi, (_, x, c) => (x ? String.fromCharCode(parseInt(x, 16)) : escapes[c]));
const size = (s) => Buffer.byteLength(s, 'latin1');

function begin(file, line, text) {
  const [, kind, name] = /^(case|h2) (.+)$/.exec(text);
  return { file, line, kind, name, each: [], steps: [], fields: [], trailers: [], expect: null };
}

function readLine(c, text, where) {
  const value = text.slice(2);
  if (text === '>' || text.startsWith('> ')) c.steps.push({ bytes: `${value}\\r\\n` });
  else if (text === '+reset') c.reset = true;
  else if (text === '+' || text.startsWith('+ ')) c.steps.push({ bytes: value });
  else if (text.startsWith('each ')) c.each.push(text.slice(5));
  else if (text === 'each') c.each.push('');
  else if (text.startsWith(': ')) c.fields.push(value);
  else if (text.startsWith('trailer ')) c.trailers.push(text.slice(8));
  else if (text.startsWith('wait ')) c.steps.push({ wait: Number(text.slice(5)) });
  else if (text === 'half') c.steps.push({ half: true });
  else if (text.startsWith('= ')) c.expect = value.split(' ');
  else throw new Error(`${where}: no step: ${text}`);
}

export function read(directory) {
  const cases = [];
  for (const file of fs.readdirSync(directory).filter((f) => f.endsWith('.cases')).sort()) {
    fs.readFileSync(path.join(directory, file), 'utf8').split('\n').forEach((text, i) => {
      if (!text || text.startsWith('#')) return;
      if (/^(case|h2) /.test(text)) cases.push(begin(file, i + 1, text));
      else readLine(cases.at(-1), text, `${file}:${i + 1}`);
    });
  }
  // A case is as many messages as it has `each` lines.
  return cases.flatMap((c) => (c.each.length ? c.each : [null]).map((it, i) => ({ ...c, it, id: `${c.file}:${c.line}${it === null ? '' : `[${i + 1}]`}` })));
}

// The request with `content` as its text; a whole one.
export function request(key, model, content) {
  const body = JSON.stringify({ model, messages: [{ role: 'user', content }] });
  return `POST /v1/chat/completions HTTP/1.1\r\nHost: gate\r\nAuthorization: Bearer ${key}\r\nContent-Type: application/json\r\nContent-Length: ${size(body)}\r\n\r\n${body}`;
}

// What the texts in braces stand for in a message numbered `mark`.
function words(key, model, mark) {
  const body = JSON.stringify({ model, messages: [{ role: 'user', content: `first-${mark}` }] });
  const smuggled = request(key, model, `smuggled-${mark}`);
  const tail = `0\r\n\r\n${smuggled}`;
  const head = `Authorization: Bearer ${key}\r\nContent-Type: application/json`;
  const sized = { body, smuggled, tail };
  const map = { head: `Host: gate\r\n${head}`, 'head-without-host': head, bearer: `Bearer ${key}`, second: request(key, model, `second-${mark}`) };
  for (const [name, text] of Object.entries(sized)) {
    map[name] = text;
    map[`${name}.n`] = String(size(text));
    map[`${name}.x`] = size(text).toString(16);
    map[`${name}.X`] = size(text).toString(16).toUpperCase();
  }
  map.chunks = `${map['body.x']}\r\n${body}\r\n0\r\n\r\n`;
  return map;
}

// Fills in the template, then the escapes of the file: what the words bring stays as it is.
function fill(template, map, it) {
  const text = template.replaceAll('{it}', () => it ?? '{it}');
  return text.split(/(\{[a-zA-Z0-9.-]+(?: \d+)?\})/).map((part) => {
    const [, word, count] = /^\{([a-zA-Z0-9.-]+)(?: (\d+))?\}$/.exec(part) ?? [];
    if (word === 'fill') return 'a'.repeat(Number(count));
    if (word === 'headers') return Array.from({ length: Number(count) }, (_, i) => `X-${i}: y`).join('\r\n');
    return word && map[word] !== undefined ? map[word] : unescape(part);
  }).join('');
}

const pseudo = { ':method': 'POST', ':scheme': 'http', ':path': '/v1/chat/completions', ':authority': 'gate' };
function field(text) {
  const at = text.indexOf(':', 1);
  return [text.slice(0, at), text.slice(at + 1).replace(/^ /, '')];
}

// Bytes of one message: {steps} for a case, {fields, data, trailers, reset} for HTTP/2.
export function message(c, key, model, mark) {
  const map = words(key, model, mark);
  const text = (t) => fill(t, map, c.it);
  const steps = c.steps.map((s) => (s.bytes === undefined ? s : { bytes: Buffer.from(text(s.bytes), 'latin1') }));
  if (c.kind === 'case') return { steps };
  const given = field(text(c.fields[0]))[0];
  const fields = c.fields.flatMap((f) => (f === '{pseudo}' ? Object.entries(pseudo).filter(([n]) => n !== given) : [field(text(f))]));
  return { fields, data: Buffer.concat(steps.map((s) => s.bytes)), trailers: c.trailers.map((t) => field(text(t))), reset: c.reset };
}
