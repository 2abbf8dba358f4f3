import { TextNormalizer } from '@dalle-mini/text-encoder/tokenizers';
import { describe, expect, test } from 'vitest';
import { demojize } from '../src/captions/demojize.js';
import { fixText } from '../src/captions/fix-text.js';
import { unescapeHtml } from '../src/captions/html-entities.js';
import { transliterate } from '../src/captions/transliterate.js';
import { WordSplitter } from '../src/captions/word-splitter.js';
import { expectForEvery, rows, wordFrequencies } from './captions.js';

const normalizer = new TextNormalizer(wordFrequencies);

describe('the results of the published code', () => {
  test('are there for hundreds of captions', () => {
    expect(rows.length).toBeGreaterThanOrEqual(300);
    expect(rows.some(({ random }) => random.length > 1)).toBe(true);
  });

  test('are those of every caption', () => {
    expectForEvery(rows, ({ caption, fixed, demojized, random, normalized }) => {
      const drawn = random.values();
      expect(fixText(caption)).toBe(fixed);
      expect(demojize(caption)).toBe(demojized);
      const seeded = new TextNormalizer(wordFrequencies, { random: () => drawn.next().value! });
      expect(seeded.normalize(caption)).toBe(normalized);
      expect(drawn.next().done).toBe(true);
    });
  });
});

describe('normalize', () => {
  test.each([
    ['', ' '],
    ['A café, by the sea…', ' a cafe, by the sea'],
    ['#throwbackthursday in 2020', ' throw back thursday in 2020'],
    ['on 12/25/2020 for $1,299.99', ' on 12/25/2020 for $ 1299.99'],
    ["it's <b>5 &amp; 6</b> (mostly)", " it's 5 & 6, mostly"],
    ['I ❤️ pizza', ' i, red heart, pizza'],
  ])('makes %j to %j', (caption, expected) => {
    expect(normalizer.normalize(caption)).toBe(expected);
  });

  test('chooses words for a person at random, with the frequencies of Wikipedia', () => {
    const names = [0, 0.67, 0.68, 0.97, 0.98].map((number) =>
      new TextNormalizer(wordFrequencies, { random: () => number }).normalize('<person>'),
    );
    expect(names).toEqual([' a person', ' a person', ' someone', ' someone', ' somebody']);
    expect([' a person', ' someone', ' somebody']).toContain(normalizer.normalize('<person>'));
  });

  // Quadratic algorithms would take minutes.
  test.each([
    ['a hashtag', `#${'throwbackthursday'.repeat(6000)}`],
    ['digits in a hashtag', `#${'1'.repeat(100_000)}`],
    ['spaces', `a${' '.repeat(100_000)}b`],
    ['quotes and spaces', `${`"${' '.repeat(1000)}`.repeat(100)}b`],
    ['commas after a person', `<person>${','.repeat(100_000)}`],
    ['"and" after a person', `<person>${'and'.repeat(33_000)}`],
    ['open tags', '<a'.repeat(50_000)],
    ['mojibake', 'Ã© 猫'.repeat(20_000)],
    ['joined emoji', '👨\u200d'.repeat(33_000)],
    ['one reference', `&${'a'.repeat(100_000)}`],
  ])('takes no long time for 100,000 characters of %s', (_, caption) => {
    expect(normalizer.normalize(caption)).toMatch(/^ /);
  });
});

describe('transliterate', () => {
  test.each([
    ['Ωμέγα Москва 北京 東京 서울', 'Omega Moskva Bei Jing  Dong Jing  seoul'],
    ['東つちシー', 'Dong tsuchishi-'],
    ['½ ™ − ≤ €', ' 1/2 (tm) - <= EUR'],
    ['𝒜 ⑩ ⁵ 🅐', 'A 10 5 (A)'],
    ['\u0085\ue000\u{10ffff}\ud83d', ''],
  ])('writes %j as %j', (text, ascii) => {
    expect(transliterate(text)).toBe(ascii);
  });

  test('returns ASCII for every character', () => {
    const others = [];
    for (let code = 0; code <= 0x10ffff; code += 7)
      if (!/^\p{ASCII}*$/u.test(transliterate(String.fromCodePoint(code)))) others.push(code.toString(16));
    expect(others).toEqual([]);
  });
});

describe('unescapeHtml', () => {
  test.each([
    ['&notit; &not; &amp &AMPx &copy', '¬it; ¬ & &x ©'],
    ['&#128; &#x92; &#129; &#0; &#1; &#xD800; &#x110000; &#xfffe;', '€ ’ \x81 \ufffd  \ufffd \ufffd '],
    ['& &; &# &#x; &unknown;', '& &; &# &#x; &unknown;'],
  ])('decodes %j as Python does', (text, decoded) => {
    expect(unescapeHtml(text)).toBe(decoded);
  });
});

describe('word frequencies', () => {
  test('may be a map of counts, in any order', () => {
    const counts = wordFrequencies
      .trim()
      .split('\n')
      .map((line) => line.split(' '))
      .map(([word, count]) => [word!, Number(count)] as const);
    const mapped = new TextNormalizer(new Map(counts.toReversed()));
    expect(mapped.normalize('#blackcatbythesea')).toBe(normalizer.normalize('#blackcatbythesea'));
  });

  test('split unknown words into letters', () => {
    expect(new WordSplitter('cat 2\ndog 1\n').split("catdog's x_cats")).toBe('cat dog s x cat s');
  });

  test.each([
    ['', /are empty\. Give the text of the published enwiki-words-frequency\.txt/],
    ['the 10\n\nof 5', /Line 2 .* must be a word and its count, not ""\. Give/],
    ['the 10\nof', /Line 2 .*, not "of"\./],
    ['<!DOCTYPE html>', /Line 1 .*, not "<!DOCTYPE html>"\./],
    ['{"the": 10}', /Line 1 .*, not/],
    ['x'.repeat(1000), /Line 1 .*, not "x{40}…"\./],
  ])('that are %j are refused', (text, message) => {
    expect(() => new TextNormalizer(text)).toThrow(message);
  });

  test('that are an empty map or missing are refused', () => {
    expect(() => new TextNormalizer(new Map())).toThrow(/are empty\. Give a map/);
    expect(() => new TextNormalizer(undefined as unknown as string)).toThrow(
      /are missing\. Give the text of the published enwiki/,
    );
  });
});
