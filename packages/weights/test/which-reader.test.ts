import { CheckpointError, MissingAverageError, WhichReader, type WhichWeights } from '@dalle-mini/weights';
import { expect, test } from 'vitest';

const withAverage = async (which: WhichWeights | undefined) => which;
const withoutAverage = async (which: WhichWeights | undefined) => {
  if (which !== 'ema') return which;
  const cause = new MissingAverageError('no average');
  throw new CheckpointError(`a.pt: ${cause.message}`, { cause });
};

test('files without an average are read as they are if another file has one', async () => {
  const weights = new WhichReader('ema');
  expect([await weights.read(withoutAverage), await weights.read(withAverage)]).toEqual([undefined, 'ema']);
  weights.check();
});

test('it is an error if no file has an average', async () => {
  const weights = new WhichReader('ema');
  await weights.read(withoutAverage);
  expect(() => weights.check()).toThrow('a.pt: no average');
});

test('without a wish for the average, files are read as asked, and other errors are passed on', async () => {
  for (const which of [undefined, 'model'] as const) {
    const weights = new WhichReader(which);
    expect(await weights.read(withoutAverage)).toBe(which);
    weights.check();
  }
  const failure = new CheckpointError('damaged');
  await expect(new WhichReader('ema').read(() => Promise.reject(failure))).rejects.toBe(failure);
});
