import type { TensorData } from '@dalle-mini/graph';
import { decodeParameter } from '@dalle-mini/graph/stored';
import { bertWeights, type HuggingFaceFiles, parseBertConfig } from '@dalle-mini/text-encoder';
import { emojiNamingTokenizer, tokenizerFromFiles } from '@dalle-mini/text-encoder/tokenizers';
import { type Checkpoint, fromFloat32 } from '@dalle-mini/weights';
import { type TrainedTextEncoder, textEncoderPrefix } from './text-source.js';

/**
 * Prepares a pretrained text encoder, in any of the layouts of `HuggingFaceFiles`, for training together with a
 * decoder. Emoji that its vocabulary lacks are read by their names, as the trained model reads those of prompts.
 *
 * @param maxLength Length in tokens to which every caption is truncated or padded.
 * @throws CheckpointError if the weights do not match the configuration; the errors of `parseBertConfig` and
 *   `tokenizerFromFiles`.
 */
export async function trainedTextEncoder(files: HuggingFaceFiles, maxLength: number): Promise<TrainedTextEncoder> {
  const config = parseBertConfig(files.config);
  // Model folders read prompts so too.
  const tokenizer = emojiNamingTokenizer(await tokenizerFromFiles(files.tokenizer, files.tokenizerConfig));
  const parameters = new Map<string, TensorData>();
  for (const [name, value] of bertWeights(files.weights, config)) {
    parameters.set(name, { dtype: 'float32', shape: value.shape, data: decodeParameter(value) });
  }
  return { kind: 'trained', config, tokenizer, maxLength, parameters };
}

/**
 * Returns the parameters of a text encoder that was trained together with a decoder, named as `bert` or `bart` declares
 * them.
 *
 * @param trained The result of `trainDecoder`.
 */
export function textEncoderParameters(trained: ReadonlyMap<string, TensorData>): Map<string, TensorData> {
  const start = `${textEncoderPrefix}.`;
  const own = [...trained].filter(([name]) => name.startsWith(start));
  return new Map(own.map(([name, value]) => [name.slice(start.length), value]));
}

/**
 * Returns the weights of a text encoder that was trained together with a decoder, named as in PyTorch checkpoints.
 *
 * @param trained The result of `trainDecoder`.
 */
export function textEncoderWeights(trained: ReadonlyMap<string, TensorData>): Checkpoint {
  const weights: Checkpoint = new Map();
  for (const [name, { data, shape }] of textEncoderParameters(trained))
    weights.set(name, fromFloat32(data as Float32Array, shape));
  return weights;
}
