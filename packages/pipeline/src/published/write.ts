/** Writes models in the published layout of DALL·E Mini, which the published Python code loads. */
import { join, resolve } from 'node:path';
import { makeFolder, writeFolderAtomically, writeJsonFile } from '@dalle-mini/core/node';
import { exportConfig, exportDecoder } from '@dalle-mini/decoder';
import { exportTextEncoder } from '@dalle-mini/text-encoder';
import { dalleMiniTokenizerFiles, wordsFile } from '@dalle-mini/text-encoder/node';
import { exportVqgan, exportVqganConfig } from '@dalle-mini/vqgan';
import type { Checkpoint } from '@dalle-mini/weights';
import { writeFlaxCheckpointFile } from '@dalle-mini/weights/node';
import { checkParts, stored } from '../model-folder/check-parts.js';
import { fail } from '../model-folder/error.js';
import { checkReplaceable } from '../model-folder/files.js';
import type { BartPart } from '../model-folder/model-parts.js';
import {
  bartKind,
  configFile,
  type DecoderPart,
  decoderKind,
  type VqganPart,
  vqganKind,
} from '../model-folder/part-kind.js';
import { writeTokenizerFiles } from '../model-folder/text-encoder.js';

/** The parts of a published model. The text encoder is BART, because the published code has no other. */
export interface PublishedModelParts {
  readonly textEncoder: BartPart;
  readonly decoder: DecoderPart;
  /** Not needed if it is the published VQ-GAN. */
  readonly imageTokenizer?: VqganPart | undefined;
}

const vqganFolder = 'vqgan';
const flaxFile = 'flax_model.msgpack';

/**
 * Writes a model in the published layout of DALL·E Mini: `config.json`, `flax_model.msgpack` (float32, with stacked
 * layers) and the tokenizer's files. The VQ-GAN is written in the layout of vqgan-jax, into the subfolder `vqgan`.
 * `DalleBart.from_pretrained(folder)` loads the model in Python, `fromPretrained(folder, { vqgan: `${folder}/vqgan` })`
 * in TypeScript.
 *
 * The folder is written atomically. It may replace a published model, but no other folder.
 *
 * @throws ModelFolderError if the parts do not match, or the folder has other files; ConfigError if the published code
 * lacks one of their options; FileError if the folder cannot be written.
 */
export async function writePublishedModel(folder: string, parts: PublishedModelParts): Promise<void> {
  const { textEncoder, decoder, imageTokenizer } = parts;
  const target = resolve(folder);
  checkParts(parts);
  const { config: decoderConfig } = decoder;
  if (decoderConfig.kind !== undefined && decoderConfig.kind !== 'dalle-mini')
    fail(`its decoder must be that of DALL·E Mini, not "${decoderConfig.kind}", which the published code lacks.`);
  // `converted` is the conversion of the replaced model by fromPretrained, and useless with the new one.
  await checkReplaceable(target, [configFile, flaxFile, ...dalleMiniTokenizerFiles, vqganFolder, 'converted']);
  const config = {
    ...exportConfig(textEncoder.config, decoderConfig),
    normalize_text: wordsFile in textEncoder.tokenizerFiles,
  };
  const write = async (place: string, json: object, weights: Checkpoint) => {
    await writeJsonFile(join(place, configFile), json);
    await writeFlaxCheckpointFile(join(place, flaxFile), weights);
  };
  await writeFolderAtomically(target, async (temporary) => {
    const weights = [
      ...exportTextEncoder(stored(textEncoder, bartKind).weights, textEncoder.config),
      ...exportDecoder(stored(decoder, decoderKind).weights, decoderConfig),
    ];
    await write(temporary, config, new Map(weights));
    await writeTokenizerFiles(temporary, textEncoder.tokenizerFiles);
    if (imageTokenizer) {
      const place = join(temporary, vqganFolder);
      await makeFolder(place);
      const weights = exportVqgan(stored(imageTokenizer, vqganKind).weights, imageTokenizer.config);
      await write(place, exportVqganConfig(imageTokenizer.config), weights);
    }
  });
}
