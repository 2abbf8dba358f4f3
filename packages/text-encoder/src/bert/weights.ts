import { parametersOf } from '@dalle-mini/graph';
import { bindParameters, type CheckpointTensor, type InMemory, type StoredParameter } from '@dalle-mini/graph/stored';
import type { StoredTensor } from '@dalle-mini/weights';
import { type BertConfig, bertGraph } from './bert.js';
import { releasedNames } from './names.js';

/**
 * Binds the parameters of `bert` to the tensors of a checkpoint in any format of `HuggingFaceFiles`. Other tensors are
 * ignored.
 *
 * @throws CheckpointError that lists the parameters which are missing or have another shape.
 */
export function bertWeights(
  weights: ReadonlyMap<string, StoredTensor>,
  config: BertConfig,
): Map<string, InMemory<StoredParameter>>;
export function bertWeights(
  weights: ReadonlyMap<string, CheckpointTensor>,
  config: BertConfig,
): Map<string, StoredParameter>;
export function bertWeights(
  weights: ReadonlyMap<string, CheckpointTensor>,
  config: BertConfig,
): Map<string, StoredParameter> {
  const declared = parametersOf(Object.values(bertGraph(config, 1, 1).outputs));
  const { family = 'bert' } = config;
  const sources = (parameter: string) =>
    // Flax's matrices are `[in, out]`.
    releasedNames(family, parameter).map((name) => ({ name, transposed: name.endsWith('/kernel') }));
  return bindParameters(declared, weights, { sources });
}
