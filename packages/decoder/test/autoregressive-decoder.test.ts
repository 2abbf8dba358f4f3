import { AutoregressiveDecoder, type AutoregressiveModel } from '@dalle-mini/decoder';
import { constant, fill, mul, oneHot, reshape } from '@dalle-mini/graph';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { int32 } from '@dalle-mini/testing/values';
import { attendToRow, writeColumn } from '@dalle-mini/transformer';
import { afterAll, expect, test } from 'vitest';

const runtime = new OnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

const count = 10;

/**
 * A model whose most likely tokens are those that it has read least often. Its only layer has the tokens as values, and equal keys: it attends to
 * the tokens so far alike.
 */
const unreadFirst: AutoregressiveModel = {
  gridSize: 3,
  vocabularySize: count,
  layers: 1,
  heads: 1,
  headWidth: count,
  beginToken: 4,
  textLength: 1,
  needsPositions: false,
  readsTextInSequence: false,
  needsUnconditional: false,
  textInputs: () => ({ once: {}, rows: {} }),
  readText: () => ({ unread: constant(int32([1], [0])) }),
  next(_, { tokens, caches: [cache] }) {
    const values = reshape(oneHot(tokens, count), [-1, 1, 1, count]);
    const keys = fill([tokens.shape[0]!, 1, 1, count], 0);
    const written = writeColumn(cache!, { keys, values });
    const seen = attendToRow(keys, written, cache!, undefined);
    return { logits: mul(reshape(seen, [-1, count]), -1), written: [written] };
  },
  checkEncoding() {},
  textValues: () => ({ once: {}, rows: {} }),
};

test('a decoder of any model generates each token from all tokens before it, also from those of other rows', async () => {
  const decoder = new AutoregressiveDecoder(unreadFirst, new Map(), { runtime });
  const text = { hiddenStates: new Float32Array(), attentionMask: Int32Array.of(1, 1), batch: 2, length: 1, width: 0 };
  const [first, second] = await decoder.generate(text, { temperature: 0 });
  await decoder.dispose();
  // Of tokens that are equally likely, the first: all but the begin token, 4, which was read once.
  expect([...first!]).toEqual([0, 1, 2, 3, 5, 6, 7, 8, 9]);
  expect(second).toEqual(first);
});
