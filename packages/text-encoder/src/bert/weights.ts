import { parametersOf } from '@dalle-mini/graph';
import { bindParameters, type CheckpointTensor, type InMemory, type StoredParameter } from '@dalle-mini/graph/stored';
import { findModel, type StoredTensor } from '@dalle-mini/weights';
import { type BertConfig, bertGraph } from './bert.js';
import { isUnneeded, isWholeBart, releasedNames } from './names.js';

/**
 * Binds the parameters of `bert` to the tensors of a checkpoint in any format of `HuggingFaceFiles`. Poolers, heads and
 * decoders, which the hidden states do not need, are ignored.
 *
 * @throws CheckpointError that lists the parameters which are missing or have another shape, and the tensors that could
 *   change the hidden states.
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
  const isWhole = isWholeBart(weights.keys());
  const names = (parameter: string) => releasedNames(family, parameter, isWhole);
  const { prefix, tensors } = findModel(weights, [...declared.keys()].map(names));
  return bindParameters(declared, weights, {
    // Flax's matrices are `[in, out]`.
    sources: (parameter) =>
      names(parameter).map((name) => ({ name: prefix + name, transposed: name.endsWith('/kernel') })),
    isUnneeded(name) {
      const own = name.slice(prefix.length);
      return !name.startsWith(prefix) || !tensors.has(own) || isUnneeded(config, own);
    },
  });
}
