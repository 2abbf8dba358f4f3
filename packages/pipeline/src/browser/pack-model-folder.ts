import { type Checkpoint, writeSafetensors } from '@dalle-mini/weights';
import { zip } from 'fflate';
import { checkParts, stored } from '../model-folder/check-parts.js';
import { descriptionFile, format, type ModelDescription, version } from '../model-folder/description.js';
import type { ModelParts, WriteModelOptions } from '../model-folder/model-parts.js';
import { configFile, decoderKind, vqganKind, weightsFile } from '../model-folder/part-kind.js';

export interface PackModelOptions {
  /** Precision of the VQ-GAN and the decoder. Default `fp32`. */
  readonly dtype?: Extract<WriteModelOptions['dtype'], 'fp32' | 'fp16'>;
}

/**
 * Packs a model into a ZIP archive of a model folder, which a page can offer as a download. Once unpacked, `fromPretrained` opens it, in
 * Node.js too.
 *
 * @throws ModelFolderError if the parts do not match, or lack values.
 *
 * @example
 * ```ts no-run
 * import { packModelFolder, readModelFolder } from '@dalle-mini/pipeline/browser';
 *
 * const archive = await packModelFolder(await readModelFolder('emoji'));
 * console.log(archive.size);
 * ```
 */
export async function packModelFolder(parts: ModelParts, { dtype = 'fp32' }: PackModelOptions = {}): Promise<Blob> {
  checkParts(parts);
  const { name, license, imageTokenizer, textEncoder, decoder, sampling = {} } = parts;
  const description: ModelDescription = {
    format,
    version,
    name,
    ...(license === undefined ? {} : { license }),
    imageTokenizer: { type: 'vqgan', folder: 'vqgan' },
    textEncoder: { type: 'bert', folder: 'text-encoder', maxLength: textEncoder.maxLength },
    decoder: { type: decoder.config.kind ?? 'dalle-mini', folder: 'decoder' },
    sampling,
  };
  const json = (value: object) => new TextEncoder().encode(`${JSON.stringify(value, null, 2)}\n`);
  const weights = (tensors: Checkpoint, as?: 'F32' | 'F16') =>
    writeSafetensors(tensors, { format: 'pt' }, { dtype: as });
  const type = dtype === 'fp32' ? 'F32' : 'F16';
  const { config, tokenizer, tokenizerConfig } = textEncoder.files;
  const files = {
    [descriptionFile]: json(description),
    [`vqgan/${configFile}`]: json(imageTokenizer.config),
    [`vqgan/${weightsFile}`]: weights(stored(imageTokenizer, vqganKind).weights, type),
    [`decoder/${configFile}`]: json(decoder.config),
    [`decoder/${weightsFile}`]: weights(stored(decoder, decoderKind).weights, type),
    [`text-encoder/${configFile}`]: json(config),
    'text-encoder/tokenizer.json': json(tokenizer),
    ...(tokenizerConfig ? { 'text-encoder/tokenizer_config.json': json(tokenizerConfig) } : {}),
    [`text-encoder/${weightsFile}`]: weights(new Map(textEncoder.files.weights)),
  };
  // Weights hardly get smaller.
  const archive = await new Promise<Uint8Array>((resolve, reject) =>
    zip(files, { level: 0 }, (error, data) => (error ? reject(error) : resolve(data))),
  );
  return new Blob([archive as Uint8Array<ArrayBuffer>], { type: 'application/zip' });
}
