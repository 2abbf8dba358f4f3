import { generate } from './generate.mjs';

// Of Jest, or of Vitest with `--globals`.
const { expect, test } = globalThis;

test('generates', async () => {
  expect(await generate()).toBe(process.env.EXPECTED_TOKENS);
}, 60_000);
