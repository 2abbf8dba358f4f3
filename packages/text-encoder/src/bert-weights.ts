import { parametersOf, type StoredParameter, type TensorData } from '@dalle-mini/graph';
import type { StoredTensor } from '@dalle-mini/weights';
import { type BertConfig, bertGraph } from './bert.js';
import { releasedNames } from './bert-names.js';
import { pickParameters } from './compiled-text-encoder.js';

/**
 * The values of the parameters of `bert`, under their names there, from the tensors of a release: `HuggingFaceFiles` says which.
 * Those that are values already stay as they are.
 * @throws Error that names the first which is missing or has another shape.
 */
export function bertWeights<Value extends StoredParameter = never>(
  weights: ReadonlyMap<string, StoredTensor | Value>,
  config: BertConfig,
): Map<string, Value | TensorData> {
  const declared = parametersOf(Object.values(bertGraph(config, 1, 1).outputs));
  const { family = 'bert' } = config;
  return pickParameters(declared, weights, (name) => releasedNames(family, name));
}
