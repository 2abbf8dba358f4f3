import { createRandom } from '@dalle-mini/core';
import { expect, test } from 'vitest';
import { loadTextTokenizer } from '../../src/tokenizers/text-tokenizer.js';
import { minilm } from '../minilm.js';

// With such a large maxLength the whole caption is tokenized at once. Because of runs of removed characters there is
// one token per 16 characters or so, so that the last needed token is near the place where the caption is split,
// among words and characters that normalizers remove, join, split or replace.
test('a long caption has the same tokens as without splitting', async () => {
  const tokenizer = await loadTextTokenizer(minilm.tokenizer);
  const random = createRandom(3);
  const choose = <T>(from: readonly T[]): T => from[random.integer(from.length)]!;
  const pieces = [
    ...[' ', '  ', '\n', '\t', '\v', '\u00a0', '\u2028', '\u200b', '\u0301', '\ufe0f', '\ud83d'],
    ...['a', 'cat', 'Σ', 'é', '-', '一', '𠀀', '😀', '[SEP]', '[', 'SEP]', 'x'.repeat(50)],
  ];
  const removed = [0, 5, 10, 20, 40].map((length) => '\u200b'.repeat(length));
  for (let n = 0; n < 300; n++) {
    const caption = Array.from({ length: 200 }, () => choose(pieces) + choose(removed)).join('');
    const whole = tokenizer.encode([caption], 4096);
    for (let maxLength = 3; maxLength <= 10; maxLength++) {
      const room = maxLength - 2;
      expect([...tokenizer.encode([caption], maxLength).ids.subarray(1, 1 + room)]).toEqual([
        ...whole.ids.subarray(1, 1 + room),
      ]);
    }
  }
});

test('loadTextTokenizer does not block the event loop while it reads a large vocabulary', async () => {
  const { model } = minilm.tokenizer as { model: { vocab: Record<string, number> } };
  const more = Array.from({ length: 200_000 }, (_, i) => [`word ${i}`, 30_522 + i] as const);
  let turns = 0;
  const counting = setInterval(() => turns++);
  await loadTextTokenizer({
    ...minilm.tokenizer,
    model: { ...model, vocab: { ...model.vocab, ...Object.fromEntries(more) } },
  });
  clearInterval(counting);
  expect(turns).toBeGreaterThan(0);
});
