import { parametersOf } from '@dalle-mini/graph';
import { bindParameters, type CheckpointTensor, type StoredParameter } from '@dalle-mini/graph/stored';
import { findModel } from '@dalle-mini/weights';
import type { T5Config } from './config.js';
import { t5Graph } from './t5.js';

/** The decoder and the head, and the tables of token embeddings, which are one. */
const unneeded = /^(decoder\.|lm_head\.|(encoder\.embed_tokens|shared)\.weight$)/;

/**
 * Binds the parameters of `t5` to the tensors of Hugging Face's `T5EncoderModel` or of a whole T5 in PyTorch's layout.
 *
 * @throws CheckpointError that lists the parameters which are missing or have another shape, and the tensors that are not known.
 */
export function t5Weights(
  weights: ReadonlyMap<string, CheckpointTensor>,
  config: T5Config,
): Map<string, StoredParameter> {
  const declared = parametersOf(Object.values(t5Graph(config, 1, 1).outputs));
  const names = (parameter: string) =>
    parameter === 'shared.weight' ? [parameter, 'encoder.embed_tokens.weight'] : [parameter];
  const { prefix, tensors } = findModel(weights, [...declared.keys()].map(names));
  return bindParameters(declared, weights, {
    sources: (parameter) => names(parameter).map((name) => prefix + name),
    isUnneeded(name) {
      const own = name.slice(prefix.length);
      return !name.startsWith(prefix) || !tensors.has(own) || unneeded.test(own);
    },
  });
}
