import { readParameterParts, type StoredParameter } from '@dalle-mini/graph/stored';
import type { TextTokenizer } from './tokenizers/text-tokenizer.js';

/** Texts that tokenizers differ in: letters, accents, numbers, signs, emoji, spaces, and words that are cut into many tokens. */
const sampleTexts = [
  '',
  'a photo of a red apple',
  'Zoë’s “café”, No. 12,345 – naïve & <b>bold</b>',
  '日本の城 🍎\u{1F469}\u200D\u{1F680}',
  '  two  spaces\tand pneumonoultramicroscopicsilicovolcanoconiosis',
];
/** Tokens of each sample text. */
const sampleLength = 32;

/** Returns a SHA-256 of a text encoder: of its configuration, its weights as they are stored, and what its tokenizer makes of sample texts. */
export async function fingerprintOf(
  config: object,
  parameters: ReadonlyMap<string, StoredParameter>,
  tokenizer: TextTokenizer,
): Promise<string> {
  const { ids, attentionMask } = tokenizer.encode(sampleTexts, sampleLength);
  const weights: string[] = [];
  for (const [name, value] of [...parameters].sort(([a], [b]) => (a < b ? -1 : 1))) {
    for (const { suffix, dtype, shape, data } of await readParameterParts(value)) {
      const bytes = new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
      weights.push(`${name}${suffix} ${dtype} ${shape} ${await sha256(bytes)}`);
    }
  }
  return sha256(new TextEncoder().encode(JSON.stringify([config, [...ids], [...attentionMask], weights])));
}

async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
