import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { readHuggingFaceTokenizer } from '../src/tokenizers/hugging-face/read-tokenizer.js';

/** The ids of Hugging Face's tokenizers: see scripts/reference/text_tokenizers.py. A folder with others may be given. */
const folder = process.env.TOKENIZER_FIXTURES ?? new URL('fixtures/tokenizers', import.meta.url).pathname;
const read = (name: string) => JSON.parse(gunzipSync(readFileSync(`${folder}/${name}.json.gz`)).toString());
const texts = read('texts') as string[];
const parts = read('parts') as Record<string, unknown>;
const tokenizers = read('tokenizers') as Record<string, { file: object; ids: string }>;

/** Puts the parts that several files have in their places. */
function withParts(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if ('$ref' in value) return parts[value.$ref as string];
  if (Array.isArray(value)) return value.map(withParts);
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, withParts(one)]));
}

describe("the ids of Hugging Face's tokenizers", () => {
  test.each(Object.entries(tokenizers))('%s', async (_, { file, ids }) => {
    const tokenizer = await readHuggingFaceTokenizer(withParts(file) as object, 'tokenizer.json');
    const lines = ids.split('\n');
    expect(lines).toHaveLength(texts.length);
    const wrong = texts.flatMap((text, i) => {
      const found = [...tokenizer.before, ...tokenizer.tokens(text), ...tokenizer.after]
        .map((id) => id.toString(36))
        .join(' ');
      return found === lines[i] || lines[i] === '?' ? [] : [{ text, found, expected: lines[i] }];
    });
    expect({ count: wrong.length, first: wrong.slice(0, 3) }).toEqual({ count: 0, first: [] });
  });
});
