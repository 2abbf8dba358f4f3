import { nameMatcher, namePatternsField } from '@dalle-mini/core';
import { expect, test } from 'vitest';

test.each([
  ['layers.0.*', 'layers.0.fc.weight', true],
  ['layers.0.*', 'layers.01.fc.weight', false],
  ['*.weight', 'a.b.weight', true],
  ['*.weight', 'a_weight', false],
  ['a.weight', 'a.weights', false],
  [['*.bias', 'norm.*'], 'norm.scale', true],
  [['*.bias', 'norm.*'], 'fc.weight', false],
])('the pattern %j matches %j: %j', (pattern, name, matches) => {
  expect(nameMatcher(pattern)(name)).toBe(matches);
});

test.each([[3], [[]], [['']], [null]])('%j is not a pattern', (value) => {
  expect(() => namePatternsField.read(value, 'match')).toThrow();
});
