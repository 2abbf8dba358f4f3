import { wordEncoder } from '@dalle-mini/testing/tiny-training';
import { describe, expect, test } from 'vitest';
import { CaptionCache } from '../src/text/caption-cache.js';

describe('a caption cache', () => {
  test('returns the result of the encoder, with zeros as padding', async () => {
    const encoder = wordEncoder();
    const captions = ['a red circle', '', 'red', ''];
    const expected = await encoder.encode(captions);
    for (const [i, bit] of expected.attentionMask.entries())
      if (bit === 0) expected.hiddenStates.fill(0, 8 * i, 8 * i + 8);
    const cache = new CaptionCache(encoder);
    expect(await cache.encode(captions)).toEqual(expected);
    expect(await cache.encode(captions)).toEqual(expected);
  });

  test('encodes a caption once', async () => {
    const encoder = wordEncoder();
    const cache = new CaptionCache(encoder);
    await cache.encode(['red', 'red', 'blue']);
    await cache.encode(['blue', 'red', 'green']);
    expect(encoder.encoded).toEqual(['red', 'blue', 'green']);
  });

  test('keeps masks with zeros before the end', async () => {
    const encoder = wordEncoder();
    const masked = {
      ...encoder,
      encode: async (captions: readonly string[]) => {
        const encoding = await encoder.encode(captions);
        encoding.attentionMask[0] = 0;
        return encoding;
      },
    };
    const { attentionMask } = await new CaptionCache(masked).encode(['a red']);
    expect([...attentionMask]).toEqual([0, 1, 1, 0]);
  });

  describe('of limited capacity', () => {
    // Two tokens of 8 numbers, and two numbers of the mask, 4 bytes each.
    const oneCaption = 4 * (2 * 8 + 2);

    test('drops the least recently used caption', async () => {
      const encoder = wordEncoder();
      const cache = new CaptionCache(encoder, 2 * oneCaption);
      for (const caption of ['red', 'blue', 'red', 'green', 'red', 'blue']) await cache.encode([caption]);
      expect(encoder.encoded).toEqual(['red', 'blue', 'green', 'blue']);
    });

    test('returns a batch that is larger than the cache', async () => {
      const encoder = wordEncoder();
      const cache = new CaptionCache(encoder, oneCaption);
      await cache.encode(['red']);
      const captions = ['blue', 'green', 'red'];
      expect((await cache.encode(captions)).hiddenStates).toEqual(
        (await new CaptionCache(wordEncoder()).encode(captions)).hiddenStates,
      );
    });

    test('returns the right captions to concurrent calls', async () => {
      const cache = new CaptionCache(wordEncoder(), oneCaption);
      await cache.encode(['red']);
      const [first, second] = await Promise.all([cache.encode(['red', 'blue']), cache.encode(['green', 'red'])]);
      expect(first.hiddenStates.subarray(0, 32)).toEqual(second.hiddenStates.subarray(32));
    });
  });
});
