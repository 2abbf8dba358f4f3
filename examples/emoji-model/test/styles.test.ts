import { expect, test } from 'vitest';
import type { Picture } from '../src/second-edition/pictures.js';
import { plainPictures, styledCaptions, withStyle } from '../src/second-edition/styles.js';

const picture = (key: string, concept: string, rest: Partial<Picture> = {}): Picture => ({
  key,
  concept,
  group: `${concept}/${key.split('/')[0]}`,
  split: 'train',
  captions: [concept, `a ${concept}`, `${concept}, flat style`],
  ...rest,
});

const apples = ['noto', 'twemoji', 'fluent-emoji-flat'].map((set) => picture(`${set}/apple`, 'apple'));

test('a caption without a style means one drawing of a thing, in all its skin tones', () => {
  const hands = ['hand', 'hand-dark'].map((name) => picture(`twemoji/${name}`, 'hand'));
  const plain = plainPictures([...apples, ...hands, picture('noto/hand', 'hand')]);
  expect([...plain]).toEqual(['fluent-emoji-flat/apple', 'twemoji/hand', 'twemoji/hand-dark']);
});

test('a drawing that is held out is none that captions without a style mean', () => {
  const [noto, twemoji, fluent] = apples as [Picture, Picture, Picture];
  const plain = plainPictures([noto, twemoji, { ...fluent, split: 'held-out-drawings' }]);
  expect([...plain]).toEqual(['twemoji/apple']);
});

test('of clip art with one name, such captions mean the first', () => {
  const drawings = ['a.svg', 'b.svg'].map((file) => picture(`clip-art/${file}`, 'boat', { group: 'clip-art/boat' }));
  expect([...plainPictures(drawings)]).toEqual(['clip-art/a.svg']);
});

test('captions of other drawings name their style, and only one', () => {
  const [noto, , fluent] = apples as [Picture, Picture, Picture];
  expect(styledCaptions(noto, false)).toEqual(['apple, noto style', 'a apple, noto style']);
  expect(styledCaptions(fluent, true)).toEqual(['apple', 'a apple', 'apple, fluent flat style']);
  expect(withStyle(fluent).captions).toEqual(['apple, fluent flat style', 'a apple, fluent flat style']);
});

test('compositions have no style', () => {
  const composed = picture('composed-train/0', 'apple+boat', { captions: ['an apple left of a boat'] });
  expect(plainPictures([composed]).size).toBe(0);
  expect(styledCaptions(composed, false)).toEqual(composed.captions);
});
