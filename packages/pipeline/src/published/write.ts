/** A model in the layout of DALL·E Mini's releases, which the published Python code loads. */
import { join, resolve } from 'node:path';
import { makeFolder, writeFolderAtomically, writeJsonFile } from '@dalle-mini/core/node';
import { exportConfig, exportDecoder } from '@dalle-mini/decoder';
import { exportTextEncoder } from '@dalle-mini/text-encoder';
import { dalleMiniTokenizerFiles, wordsFile } from '@dalle-mini/text-encoder/node';
import { exportVqgan, exportVqganConfig } from '@dalle-mini/vqgan';
import type { Checkpoint } from '@dalle-mini/weights';
import { writeFlaxCheckpointFile } from '@dalle-mini/weights/node';
import { checkReplaceable } from '../model-folder/files.js';
import { checkParts } from '../model-folder/model-folder.js';
import {
  bartKind,
  configFile,
  type DecoderPart,
  decoderKind,
  stored,
  type VqganPart,
  vqganKind,
} from '../model-folder/part.js';
import { type BartPart, writeTokenizerFiles } from '../model-folder/text-encoder.js';

/** What a release is made of. The text encoder is DALL·E Mini's own: the published code has no other. */
export interface ReleaseParts {
  readonly textEncoder: BartPart;
  readonly decoder: DecoderPart;
  /** Not needed where it is the published one. */
  readonly imageTokenizer?: VqganPart;
}

const vqganFolder = 'vqgan';
const flaxFile = 'flax_model.msgpack';

/**
 * Writes a model as DALL·E Mini was released: `config.json`, `flax_model.msgpack`, its layers stacked, in float32, and the tokenizer's
 * files; the VQ-GAN in the layout of vqgan-jax, in the folder `vqgan` within. `DalleBart.from_pretrained(folder)` loads it in Python,
 * and `fromPretrained(folder, { vqgan: `${folder}/vqgan` })` here.
 *
 * It is written whole or not at all, and replaces nothing but a release.
 * @throws ModelFolderError if the parts do not belong together, or something else stands at the place; RangeError if the published code
 * does not have one of their options; FileError if the disk refuses.
 */
export async function writeRelease(folder: string, parts: ReleaseParts): Promise<void> {
  const { textEncoder, decoder, imageTokenizer } = parts;
  const target = resolve(folder);
  checkParts(parts);
  // What fromPretrained converted the release before to is of no use with this one.
  await checkReplaceable(target, [configFile, flaxFile, ...dalleMiniTokenizerFiles, vqganFolder, 'converted']);
  const config = {
    ...exportConfig(textEncoder.config, decoder.config),
    normalize_text: wordsFile in textEncoder.tokenizerFiles,
  };
  const write = async (place: string, json: object, weights: Checkpoint) => {
    await writeJsonFile(join(place, configFile), json);
    await writeFlaxCheckpointFile(join(place, flaxFile), weights);
  };
  await writeFolderAtomically(target, async (temporary) => {
    const released = [
      ...exportTextEncoder(stored(textEncoder, bartKind).weights, textEncoder.config),
      ...exportDecoder(stored(decoder, decoderKind).weights, decoder.config),
    ];
    await write(temporary, config, new Map(released));
    await writeTokenizerFiles(temporary, textEncoder.tokenizerFiles);
    if (imageTokenizer) {
      const place = join(temporary, vqganFolder);
      await makeFolder(place);
      const weights = exportVqgan(stored(imageTokenizer, vqganKind).weights, imageTokenizer.config);
      await write(place, exportVqganConfig(imageTokenizer.config), weights);
    }
  });
}
