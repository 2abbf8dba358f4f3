import { createRandom } from '@dalle-mini/core';
import { type DecoderConfig, decoderParameters, rowGraph, teacherForced, textGraph } from '@dalle-mini/decoder';
import {
  add,
  type Executable,
  gather,
  input,
  isOperation,
  mul,
  ParameterScope,
  parametersOf,
  range,
  type Tensor,
  type TensorData,
  topologicalOrder,
} from '@dalle-mini/graph';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { randomParameters, randomText, tinyDecoder as tiny } from '@dalle-mini/testing/tiny-decoder';
import { normPositions } from '@dalle-mini/transformer';
import { afterAll, describe, expect, test } from 'vitest';
// Only generating a row from given tokens is not public; all else comes from the public entry.
import { writeRow } from '../src/autoregressive/graphs.js';
import { beginToken, dalleMiniModel } from '../src/dalle-mini/decoder.js';
import { relativeError } from './compare.js';

const runtime = new OnnxRuntime();
afterAll(() => runtime.dispose());

const captions = 2;
const textLength = 5;

/** Computes the logits at every position as training does: from all tokens at once. */
async function teacherForcedLogits(
  config: DecoderConfig,
  parameters: ReadonlyMap<string, TensorData>,
  given: Record<'tokens' | 'hiddenStates' | 'attentionMask', TensorData>,
): Promise<TensorData> {
  const inputs = declare(given);
  const logits = teacherForced(new ParameterScope(), config, inputs.tokens, inputs);
  const executable = await runtime.compile({ inputs, outputs: { logits } }, { parameters });
  return (await executable.run(given)).logits!;
}

const declare = <Name extends string>(given: Record<Name, TensorData>) =>
  Object.fromEntries(
    Object.entries<TensorData>(given).map(([name, { shape, dtype }]) => [name, input(name, shape, dtype)]),
  ) as Record<Name, ReturnType<typeof input>>;

/**
 * Computes the logits at every position as decoding does, token by token and row by row, with given tokens instead of
 * sampled ones.
 */
async function cachedLogits(
  config: DecoderConfig,
  parameters: ReadonlyMap<string, TensorData>,
  given: Record<'tokens' | 'hiddenStates' | 'attentionMask', TensorData>,
): Promise<TensorData> {
  const { gridSize, layers, heads, width } = config;
  const cacheShape = [captions, heads, gridSize ** 2, width / heads];
  const { tokens, ...caption } = given;
  const text = declare(caption);
  const ofRow = {
    columns: input('columns', [gridSize, captions], 'int32'),
    token: input('token', [captions], 'int32'),
    row: input('row', [], 'int32'),
  };
  const cacheNames = Array.from({ length: layers }, (_, layer) => [`keys.${layer}`, `values.${layer}`] as const);
  const cacheInputs = Object.fromEntries(
    cacheNames.flat().map((name) => [name, input(name, cacheShape, 'float32', { dynamic: 2 })]),
  );
  const positions = input('positions', [gridSize ** 2], 'int32', { dynamic: 0 });
  const relative: Record<string, Tensor> = config.relativePositions ? { positions } : {};
  const scope = new ParameterScope();
  const model = dalleMiniModel(config);
  const written = writeRow(
    scope,
    model,
    {
      text: { ...model.readText(scope, text), textMask: text.attentionMask },
      caches: cacheNames.map(([keys, values]) => ({ keys: cacheInputs[keys]!, values: cacheInputs[values]! })),
      ...relative,
      ...ofRow,
    },
    (logits, column) => ({ token: gather(ofRow.columns, column), stacked: [logits] }),
  );
  const outputs = {
    logits: written.stacked[0]!,
    token: written.token,
    ...(config.relativePositions ? { positions: add(mul(ofRow.row, gridSize), range(gridSize)) } : {}),
    ...Object.fromEntries(
      cacheNames.flatMap(([keys, values], layer) => [
        [keys, written.caches[layer]!.keys],
        [values, written.caches[layer]!.values],
      ]),
    ),
  };
  const executable: Executable = await runtime.compile(
    { inputs: { ...text, ...ofRow, ...cacheInputs, ...relative }, outputs },
    { parameters },
  );
  const bound = await executable.bind(caption);
  let token: TensorData = {
    dtype: 'int32',
    shape: [captions],
    data: new Int32Array(captions).fill(beginToken(config)),
  };
  const length = gridSize ** 2;
  const columns = config.paddedVocabularySize ?? config.vocabularySize + 1;
  const all = new Float32Array(captions * length * columns);
  for (let row = 0; row < gridSize; row++) {
    const rowTokens = Int32Array.from(
      { length: gridSize * captions },
      (_, i) => tokens.data[(i % captions) * length + row * gridSize + Math.floor(i / captions)]!,
    );
    const { logits, ...next } = await bound.run({
      token,
      columns: { dtype: 'int32', shape: [gridSize, captions], data: rowTokens },
      row: { dtype: 'int32', shape: [], data: Int32Array.of(row) },
    });
    token = next.token!;
    for (let i = 0; i < gridSize * captions; i++) {
      const position = row * gridSize + Math.floor(i / captions);
      all.set(
        logits!.data.subarray(i * columns, (i + 1) * columns) as Float32Array,
        ((i % captions) * length + position) * columns,
      );
    }
  }
  return { dtype: 'float32', shape: [captions, length, columns], data: all };
}

const options: Record<string, Partial<DecoderConfig>> = {
  'as published': {},
  ...Object.fromEntries(normPositions.map((positions) => [positions, { normPositions: positions }])),
  ...Object.fromEntries(
    normPositions.map((positions) => [
      `${positions}, rms norms, not gated, biases`,
      { normPositions: positions, norm: 'rmsnorm', gated: false, bias: true } as const,
    ]),
  ),
  ...Object.fromEntries(
    normPositions.map((positions) => [
      `${positions}, head scales, all norms with scales, tied and scaled embeddings, swish`,
      {
        normPositions: positions,
        headScale: true,
        forceNormScale: true,
        tieEmbeddings: true,
        scaleEmbedding: true,
        activation: 'swish',
      } as const,
    ]),
  ),
  'cosines, without absolute positions': { cosineAttention: true, tau: 0.3, absolutePositions: false },
  'relative positions, for longer captions too': { relativePositions: true, textLength: textLength + 2 },
  'scaled as DeepNet': { normPositions: 'postln', deepnetScaling: true },
  'relu, no last norm': { activation: 'relu', finalNorm: false },
  'seven layers of swinv2, of which the sixth has a norm more': { normPositions: 'swinv2', layers: 7 },
  'a padded vocabulary': { paddedVocabularySize: 32 },
  'one head': { heads: 1 },
  'one row and column': { gridSize: 1 },
};

describe.each(Object.entries(options))('decoding with caches: %s', (_, option) => {
  test('gives the logits of teacher forcing at every position', async () => {
    const config: DecoderConfig = { ...tiny, ...option };
    const parameters = randomParameters(config, 5);
    const random = createRandom(6);
    const shape = [captions, config.gridSize ** 2];
    const { hiddenStates, attentionMask } = randomText(captions, 7, { length: textLength });
    const given = {
      tokens: {
        dtype: 'int32',
        shape,
        data: Int32Array.from({ length: shape[0]! * shape[1]! }, () => random.integer(config.vocabularySize)),
      },
      hiddenStates: { dtype: 'float32', shape: [captions, textLength, config.textWidth], data: hiddenStates },
      attentionMask: { dtype: 'int32', shape: [captions, textLength], data: attentionMask },
    } as const;
    const expected = await teacherForcedLogits(config, parameters, given);
    const actual = await cachedLogits(config, parameters, given);
    // Both are float32 and differ in the order of sums.
    expect(relativeError(actual, expected)).toBeLessThan(1e-4);
  });
});

describe('the graphs of decoding', () => {
  const shape = { images: 2, guided: true, textLength };
  const names = (graph: { outputs: Record<string, ReturnType<typeof input>> }) => [
    ...parametersOf(Object.values(graph.outputs)).keys(),
  ];
  const isOfText = (name: string) => /encoder_attn\.[kv]_proj/.test(name);

  test('compute the keys and values of cross-attention once per caption, not once per row', () => {
    const all = [...decoderParameters(tiny).keys()];
    expect(names(textGraph(tiny, shape)).sort()).toEqual(all.filter(isOfText).sort());
    expect(names(rowGraph(tiny, shape)).sort()).toEqual(all.filter((name) => !isOfText(name)).sort());
  });

  test('carry the keys and values of one row through the loop, not those of all rows', () => {
    const graph = rowGraph(tiny, shape);
    const loops = topologicalOrder(Object.values(graph.outputs)).filter((node) => isOperation(node, 'loop'));
    expect(loops).toHaveLength(1);
    const carried = loops.flatMap((node) => (isOperation(node, 'loop') ? node.attributes.carried : []));
    const row = [4, tiny.heads, tiny.gridSize, tiny.width / tiny.heads];
    expect(carried.slice(1).map((tensor) => tensor.shape)).toEqual(Array(2 * tiny.layers).fill(row));
  });
});
