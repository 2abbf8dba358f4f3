import { abortSignal, callback, integer, object, optional, type Progress, readOptions, string } from '@dalle-mini/core';
import { openImageFiles } from '@dalle-mini/data';
import { chooseRuntime, type RuntimeOptions, runtimeFields } from '@dalle-mini/graph/onnxruntime';
import type { LoadProgress } from '@dalle-mini/pipeline';
import { VqganTokenizer } from '@dalle-mini/vqgan';
import { evaluateReconstructions, type ReconstructionFigures } from '../evaluation/reconstructions.js';
import { openVqgan } from './models.js';

export interface EvaluateVqganOptions extends RuntimeOptions {
  /** Number of images, evenly spread over the folder. Default: all. */
  readonly count?: number | undefined;
  /** The path of a PNG file with images, their reconstructions and their differences. Default: none. */
  readonly sheet?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress | LoadProgress) => void) | undefined;
}

const evaluateFields = object<EvaluateVqganOptions>({
  ...runtimeFields,
  count: optional(integer({ min: 1 })),
  sheet: optional(string()),
  signal: optional(abortSignal()),
  onProgress: optional(callback()),
});

/**
 * Measures how well a VQ-GAN reconstructs the pictures of a folder, as `dalle-mini evaluate` does. Pictures are scaled to the size of the
 * model and cropped in the middle; they need no captions.
 *
 * @param model A folder of a VQ-GAN in any layout, a model folder, the name of a bundled model, or a name of the hub.
 * @throws OptionError if an option is wrong; the errors of opening the model and the folder; DataError if a picture is damaged;
 *   FileError if the sheet cannot be written; the reason of `signal` if it aborts.
 */
export async function evaluateVqgan(
  model: string,
  pictures: string,
  options: EvaluateVqganOptions = {},
): Promise<ReconstructionFigures> {
  const { runtime: given, threads, ...others } = readOptions(evaluateFields, options, 'evaluateVqgan');
  const { signal, onProgress } = others;
  const { config, parameters } = await openVqgan(model, { signal, onProgress });
  const images = await openImageFiles(pictures, { imageSize: config.resolution, signal });
  const { runtime, ownsRuntime } = chooseRuntime({ runtime: given, threads });
  const tokenizer = new VqganTokenizer(config, parameters, { runtime, ownsRuntime });
  try {
    return await evaluateReconstructions(tokenizer, images, { ...others, runtime });
  } finally {
    await tokenizer.dispose();
  }
}
