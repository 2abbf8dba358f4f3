import { describe, expect, test } from 'vitest';
import { emojiNamingTokenizer } from '../src/tokenizers/emoji-naming-tokenizer.js';
import { loadTextTokenizer } from '../src/tokenizers/text-tokenizer.js';
import { minilm } from './minilm.js';

const tokenizer = await loadTextTokenizer(minilm.tokenizer);
const unreadOf = (caption: string, maxLength = 8) => tokenizer.encode([caption], maxLength).unread![0]!;

describe('the unread part of a caption', () => {
  test('is empty if the whole caption is read', () => {
    expect(unreadOf('a red apple')).toEqual({ isTruncated: false, unknownWords: [] });
    expect(unreadOf('')).toEqual({ isTruncated: false, unknownWords: [] });
  });

  test('is truncated if the caption is one token too long', () => {
    expect(unreadOf('cat cat cat', 5).isTruncated).toBe(false);
    expect(unreadOf('cat cat cat', 4).isTruncated).toBe(true);
    expect(unreadOf('cat '.repeat(100_000)).isTruncated).toBe(true);
  });

  test('has the words that the vocabulary lacks, each once and at most eight', () => {
    expect(unreadOf('a 🍎 and a 🚀 and a 🍎').unknownWords).toEqual(['🍎', '🚀']);
    const many = Array.from({ length: 20 }, (_, i) => String.fromCodePoint(0x1f600 + i)).join(' ');
    expect(unreadOf(many, 64).unknownWords).toHaveLength(8);
  });
});

describe('a tokenizer that names emoji', () => {
  const naming = emojiNamingTokenizer(tokenizer);
  const ids = (caption: string) => [...naming.encode([caption], 16).ids];

  test.each([
    ['🍎', 'red apple'],
    ['🚀', 'rocket'],
    ['a 😀 cat', 'a grinning face cat'],
    ['👩‍🚀', 'woman astronaut'],
    ['a blue ❤️', 'a blue red heart'],
  ])('reads %s as "%s"', (caption, named) => {
    expect(ids(caption)).toEqual([...tokenizer.encode([named], 16).ids]);
    expect(naming.encode([caption], 16).unread![0]!.unknownWords).toEqual([]);
  });

  test('distinguishes two emoji, also in one batch with captions without emoji', () => {
    const { ids: batch } = naming.encode(['🍎', 'a cat', '🚀'], 8);
    expect([...batch.subarray(8, 16)]).toEqual([...tokenizer.encode(['a cat'], 8).ids]);
    expect(batch.subarray(0, 8)).not.toEqual(batch.subarray(16, 24));
  });

  test('does not change other captions, including unknown words', () => {
    for (const caption of ['a cat: red_apple', '', 'ꙮ'])
      expect(ids(caption)).toEqual([...tokenizer.encode([caption], 16).ids]);
  });
});
