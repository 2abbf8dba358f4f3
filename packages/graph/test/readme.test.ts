import { readFileSync } from 'node:fs';
import { operatorCases } from '@dalle-mini/testing/graph-cases';
import { expect, test } from 'vitest';
import { gradientRules } from '../src/training/gradient.js';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');

test('the table of the README lists every operator and whether it has a gradient', () => {
  const rows = readme
    .slice(readme.indexOf('## Operators'))
    .split('\n')
    .filter((line) => /^\| `/.test(line))
    .map((line) => line.split('|').map((cell) => cell.trim()) as [string, string, string, string]);
  const listed = rows.flatMap(([, operators, , gradient]) =>
    [...operators.matchAll(/`(\w+)/g)].map(([, name]) => [name!, gradient === '∂'] as const),
  );
  const table = new Map(listed.filter(([name]) => name !== 'broadcastTo'));
  expect([...table.keys()].sort()).toEqual([...operatorCases.keys(), 'input', 'parameter'].sort());
  const through = Object.keys(gradientRules).filter((name) => name !== 'cast' && name !== 'stopGradient');
  expect(
    [...table]
      .filter(([, gradient]) => gradient)
      .map(([name]) => name)
      .sort(),
  ).toEqual(through.sort());
});
