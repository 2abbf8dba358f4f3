import { createRandom } from '@dalle-mini/core';
import type { AutoregressiveConfig } from '@dalle-mini/decoder';
import { gather, input, ParameterScope, type Runtime, type Tensor, type TensorData } from '@dalle-mini/graph';
// Only generating a row from given tokens is not public; all else comes from the public entry.
import { writeRow } from '../src/autoregressive/graphs.js';
import { modelOf } from '../src/models.js';

type Values = Readonly<Record<string, TensorData>>;
type Tensors = Readonly<Record<string, Tensor>>;

const declare = (given: Values): Record<string, Tensor> =>
  Object.fromEntries(Object.entries(given).map(([name, { shape, dtype }]) => [name, input(name, shape, dtype)]));

/**
 * Computes the logits of random image tokens at every position, `[2, gridSize², columns]`: from all tokens at once, as
 * training does, and token by token and row by row, as decoding does.
 *
 * @param caption Inputs of `logits`.
 * @param captionOfModel The same captions as inputs of the model that generates.
 */
export async function teacherForcedAndCached(
  runtime: Runtime,
  config: AutoregressiveConfig,
  parameters: ReadonlyMap<string, TensorData>,
  caption: Values,
  logits: (scope: ParameterScope, tokens: Tensor, caption: Tensors) => Tensor,
  captionOfModel: Values,
): Promise<{ teacherForced: TensorData; cached: TensorData }> {
  const count = config.gridSize ** 2;
  const random = createRandom(6);
  const tokens: TensorData = {
    dtype: 'int32',
    shape: [2, count],
    data: Int32Array.from({ length: 2 * count }, () => random.integer(config.vocabularySize)),
  };
  const inputs = declare({ ...caption, tokens });
  const all = logits(new ParameterScope(), inputs.tokens!, inputs);
  const executable = await runtime.compile({ inputs: { ...inputs }, outputs: { all } }, { parameters });
  const used = Object.entries({ ...caption, tokens });
  const { all: teacherForced } = await executable.run(Object.fromEntries(used));
  await executable.dispose();
  return {
    teacherForced: teacherForced!,
    cached: await cachedLogits(runtime, config, parameters, captionOfModel, tokens),
  };
}

async function cachedLogits(
  runtime: Runtime,
  config: AutoregressiveConfig,
  parameters: ReadonlyMap<string, TensorData>,
  caption: Values,
  tokens: TensorData,
): Promise<TensorData> {
  const model = modelOf(config);
  const { gridSize, layers, heads, headWidth } = model;
  const count = gridSize ** 2;
  const text = declare(caption);
  const state = {
    columns: input('columns', [gridSize, 2], 'int32'),
    token: input('token', [2], 'int32'),
    row: input('row', [], 'int32'),
  };
  const cacheNames = Array.from({ length: layers }, (_, layer) => [`keys.${layer}`, `values.${layer}`] as const);
  const caches = Object.fromEntries(
    cacheNames.flat().map((name) => [name, input(name, [2, heads, count, headWidth], 'float32', { dynamic: 2 })]),
  );
  const scope = new ParameterScope();
  const written = writeRow(
    scope,
    model,
    {
      text: { ...text, ...model.readText(scope, text) },
      caches: cacheNames.map(([keys, values]) => ({ keys: caches[keys]!, values: caches[values]! })),
      token: state.token,
      row: state.row,
    },
    (logits, column) => ({ token: gather(state.columns, column), stacked: [logits] }),
  );
  const outputs = {
    logits: written.stacked[0]!,
    token: written.token,
    ...Object.fromEntries(
      cacheNames.flatMap(([keys, values], layer) => [
        [keys, written.caches[layer]!.keys],
        [values, written.caches[layer]!.values],
      ]),
    ),
  };
  const executable = await runtime.compile({ inputs: { ...text, ...state, ...caches }, outputs }, { parameters });
  const bound = await executable.bind(caption);
  let token: TensorData = { dtype: 'int32', shape: [2], data: new Int32Array(2) };
  const columns = outputs.logits.shape[2]!;
  const data = new Float32Array(2 * count * columns);
  for (let row = 0; row < gridSize; row++) {
    const ofRow = Int32Array.from(
      { length: 2 * gridSize },
      (_, i) => tokens.data[(i % 2) * count + row * gridSize + Math.floor(i / 2)]!,
    );
    const { logits, ...next } = await bound.run({
      token,
      columns: { dtype: 'int32', shape: [gridSize, 2], data: ofRow },
      row: { dtype: 'int32', shape: [], data: Int32Array.of(row) },
    });
    token = next.token!;
    for (let i = 0; i < 2 * gridSize; i++) {
      const position = row * gridSize + Math.floor(i / 2);
      const ofToken = logits!.data.subarray(i * columns, (i + 1) * columns) as Float32Array;
      data.set(ofToken, ((i % 2) * count + position) * columns);
    }
  }
  await bound.dispose();
  await executable.dispose();
  return { dtype: 'float32', shape: [2, count, columns], data };
}
