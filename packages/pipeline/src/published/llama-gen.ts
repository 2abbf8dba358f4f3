/** LlamaGen as released: a file of a decoder, a file of a tokenizer, and for captions the folder of FLAN-T5. */
import { copyFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { isFolder } from '@dalle-mini/core/node';
import { importLlamaGen, importLlamaGenConfig, type LlamaGenConfig } from '@dalle-mini/decoder';
import { importLlamaGenTokenizerConfig } from '@dalle-mini/vqgan';
import type { WhichReader } from '@dalle-mini/weights';
import { locateTensors } from '@dalle-mini/weights/node';
import { inFile, ModelFolderError } from '../model-folder/error.js';
import { readJson, readTensors } from '../model-folder/files.js';
import { writeTokensFile } from '../model-folder/text-encoder.js';
import type { PublishedModel } from './published-model.js';

/** `c2i_L_384.pt`, `t2i_XL_stage1_256.pt`: the last number is the size of images. */
const decoderName = /^[ct]2i_.*?_(\d+)L?\.pt$/;
/** `vq_ds16_c2i.pt`: an image is that many times as wide as its grid. */
const tokenizerName = /^vq_ds(\d+)_[ct]2i\.pt$/;

/** Checks whether a folder has such files. */
export function isLlamaGen(names: readonly string[]): boolean {
  return names.some((name) => decoderName.test(name)) && names.some((name) => tokenizerName.test(name));
}

/** @throws ModelFolderError if a file is missing, damaged or not known, or if there are several decoders. */
export async function openLlamaGen(
  folder: string,
  names: readonly string[],
  weights: WhichReader,
): Promise<PublishedModel> {
  const [decoderFile, tokenizerFile] = [onlyOne(folder, names, decoderName), onlyOne(folder, names, tokenizerName)];
  const [imageSize, patch] = [decoderName.exec(decoderFile)![1], tokenizerName.exec(tokenizerFile)![1]];
  const gridSize = Number(imageSize) / Number(patch);
  const [decoderPath, tokenizerPath] = [join(folder, decoderFile), join(folder, tokenizerFile)];
  const shapes = (path: string) => weights.read((which) => locateTensors(path, { which }));
  // Optional: the published models need none.
  const args = (await readJson(join(folder, 'config.json'), 'optional')) ?? {};
  const decoder = await inFile(decoderPath, async () =>
    importLlamaGenConfig(await shapes(decoderPath), gridSize, args, decoderPath),
  );
  const tokenizer = await inFile(tokenizerPath, async () =>
    importLlamaGenTokenizerConfig(await shapes(tokenizerPath), gridSize, tokenizerPath),
  );
  return {
    ...(await textEncoderOf(folder, decoder)),
    decoder,
    importDecoder: async () => {
      const tensors = await weights.read((which) => readTensors(decoderPath, { which }));
      return inFile(decoderPath, () => importLlamaGen(tensors, decoder));
    },
    vqgan: async () => ({ config: tokenizer, weights: tokenizerPath }),
    // The defaults of sample_c2i.py and sample_t2i.py.
    sampling: decoder.classes === undefined ? { topK: 1000, guidanceScale: 7.5 } : { topK: 2000, guidanceScale: 4 },
  };
}

function onlyOne(folder: string, names: readonly string[], pattern: RegExp): string {
  const [found, other] = names.filter((name) => pattern.test(name));
  if (other !== undefined)
    throw new ModelFolderError(`${folder} must have one of ${found} and ${other}. Move the other to another folder.`);
  return found!;
}

/** Where the published code keeps the text encoder. */
const textEncoderFolders = ['flan-t5-xl', 't5-ckpt/flan-t5-xl'];

async function textEncoderOf(
  folder: string,
  { classes, textLength }: LlamaGenConfig,
): Promise<Pick<PublishedModel, 'textEncoder' | 'writeTextEncoderFiles'>> {
  if (classes !== undefined)
    return {
      textEncoder: { type: 'classes', maxLength: 1 },
      writeTextEncoderFiles: (to) => writeTokensFile(to, { classes: { classes } }),
    };
  for (const name of textEncoderFolders) {
    const from = join(folder, name);
    if (!(await isFolder(from))) continue;
    const files = (await readdir(from)).filter((file) => /\.(json|model|txt|bin|safetensors)$/.test(file));
    return {
      textEncoder: { type: 'bert', maxLength: textLength! },
      writeTextEncoderFiles: async (to) => {
        for (const file of files) await copyFile(join(from, file), join(to, file));
      },
    };
  }
  throw new ModelFolderError(
    `${folder} must have the text encoder of the model, in the subfolder ${textEncoderFolders[0]}. Download google/flan-t5-xl into it.`,
  );
}
