import { parametersOf } from '@dalle-mini/graph';
import { bindParameters, type CheckpointTensor, type StoredParameter } from '@dalle-mini/graph/stored';
import { findModel } from '@dalle-mini/weights';
import { clipTextGraph } from './clip-text.js';
import type { ClipTextConfig } from './config.js';

/** Tensors of a CLIP that captions do not need: the image encoder, the scale of similarities, and a buffer that follows from the sizes. */
const unneeded = /^(vision_model\.|visual_projection\.|logit_scale$)|\.position_ids$/;

/**
 * Binds the parameters of `clipText` to the tensors of Hugging Face's `CLIPModel`, `CLIPTextModel` or `CLIPTextModelWithProjection`.
 *
 * @throws CheckpointError that lists the parameters which are missing or have another shape, and the tensors that are not known.
 */
export function clipTextWeights(
  weights: ReadonlyMap<string, CheckpointTensor>,
  config: ClipTextConfig,
): Map<string, StoredParameter> {
  const declared = parametersOf(Object.values(clipTextGraph(config, 'last', 1, 2).outputs));
  // Newer files of the bare model have the names without this beginning.
  const names = (parameter: string) => [parameter, parameter.replace(/^text_model\./, '')];
  const { prefix, tensors } = findModel(weights, [...declared.keys()].map(names));
  return bindParameters(declared, weights, {
    sources: (parameter) => names(parameter).map((name) => prefix + name),
    isUnneeded: (name) =>
      !name.startsWith(prefix) || !tensors.has(name.slice(prefix.length)) || unneeded.test(name.slice(prefix.length)),
  });
}
