/** aMUSEd (Patil et al. 2024) in the layout of diffusers: a folder for each part. */
import { join } from 'node:path';
import type { SamplingOptions, TextEncoder } from '@dalle-mini/core';
import { exists } from '@dalle-mini/core/node';
import { type AmusedConfig, createDecoder, decoderParameters, importAmusedConfig } from '@dalle-mini/decoder';
import type { Runtime } from '@dalle-mini/graph';
import { loadTextEncoder } from '@dalle-mini/text-encoder';
import {
  importVqModelConfig,
  type VqganConfig,
  VqganTokenizer,
  vqganParameters,
  vqModelNames,
} from '@dalle-mini/vqgan';
import { findWeights } from '@dalle-mini/weights/node';
import { inFile, ModelFolderError } from '../model-folder/error.js';
import { readJson, readTensors, readText } from '../model-folder/files.js';
import { openParameters } from '../model-folder/part.js';

const indexFile = 'model_index.json';

/** What the published pipeline does by default. */
const amusedSampling: SamplingOptions = { passes: 12, choiceTemperature: 2, guidanceScale: 10 };

const weightsFiles = [
  'diffusion_pytorch_model.safetensors',
  'diffusion_pytorch_model.fp16.safetensors',
  'diffusion_pytorch_model.bin',
];

/** Checks whether a folder has a pipeline of diffusers. */
export async function isDiffusersFolder(folder: string): Promise<boolean> {
  return exists(join(folder, indexFile));
}

/** Chooses the files of a pipeline of diffusers to download: one file of weights for each part. */
export function diffusersFiles(names: readonly string[]): string[] {
  const small = names.filter(
    (name) => /^(?:[\w-]+\/)?[\w-]+\.(?:json|txt)$/.test(name) && !name.endsWith('.index.json'),
  );
  const weightsOf = (part: string, files: readonly string[]) =>
    files.map((file) => `${part}/${file}`).find((name) => names.includes(name));
  const weights = [
    weightsOf('transformer', weightsFiles),
    weightsOf('vqvae', weightsFiles),
    weightsOf('text_encoder', ['model.safetensors', 'pytorch_model.bin']),
  ];
  return [...small, ...weights.filter((name) => name !== undefined)];
}

/** The parts of aMUSEd on a runtime. */
export interface AmusedParts {
  readonly textEncoder: TextEncoder;
  readonly decoder: ReturnType<typeof createDecoder>;
  readonly imageTokenizer: VqganTokenizer;
  readonly sampling: SamplingOptions;
}

/**
 * Opens aMUSEd from the folder of its pipeline. Large weights, and those in half precision, stay in their files.
 *
 * @throws ModelFolderError if it is another pipeline, or if a file is missing, damaged, or does not match the others.
 */
export async function openAmused(folder: string, runtime: Runtime): Promise<AmusedParts> {
  const json = (part: string, file: string) => readJson(join(folder, part, file));
  const { _class_name: pipeline } = await json('', indexFile);
  if (typeof pipeline !== 'string' || !/^Amused\w*Pipeline$/.test(pipeline))
    throw new ModelFolderError(
      `${join(folder, indexFile)}: _class_name must be AmusedPipeline, not ${JSON.stringify(pipeline)}. Use a model such as amused/amused-256.`,
    );
  const [transformer, scheduler, vqvae] = await Promise.all([
    json('transformer', 'config.json'),
    json('scheduler', 'scheduler_config.json'),
    json('vqvae', 'config.json'),
  ]);
  const textEncoder = await openClip(folder, runtime);
  const levels = Array.isArray(vqvae.block_out_channels) ? vqvae.block_out_channels.length : 1;
  const { config, vqgan } = await inFile(folder, async () => {
    const files = { transformer, scheduler, pixelsPerToken: 2 ** (levels - 1), textLength: textEncoder.maxLength };
    const config = importAmusedConfig(files, folder);
    return { config, vqgan: importVqModelConfig(vqvae, config.imageSize, join(folder, 'vqvae', 'config.json')) };
  });
  return {
    textEncoder,
    decoder: createDecoder(config, await openTransformer(folder, config), { runtime }),
    imageTokenizer: new VqganTokenizer(vqgan, await openVqModel(folder, vqgan), { runtime }),
    sampling: amusedSampling,
  };
}

async function openTransformer(folder: string, config: AmusedConfig) {
  const path = await findWeights(join(folder, 'transformer'), weightsFiles);
  return openParameters(path, decoderParameters(config), { isUnneeded: () => false });
}

async function openVqModel(folder: string, config: VqganConfig) {
  const path = await findWeights(join(folder, 'vqvae'), weightsFiles);
  const names = vqModelNames(config);
  return openParameters(path, vqganParameters(config), { sources: (name) => [names.get(name)!] });
}

/** Opens CLIP's text encoder, whose tokenizer is in a folder of its own: its hidden states before the last layer, and embeddings. */
async function openClip(folder: string, runtime: Runtime): Promise<TextEncoder> {
  const [textEncoder, tokenizer] = [join(folder, 'text_encoder'), join(folder, 'tokenizer')];
  const config = await readJson(join(textEncoder, 'config.json'));
  const weights = await readTensors(await findWeights(textEncoder, ['model.safetensors', 'pytorch_model.bin']));
  const files = await readTokenizerFiles(tokenizer);
  return inFile(textEncoder, () =>
    // One caption at once, because the encoding of the negative prompt is kept.
    loadTextEncoder(
      { config, weights, ...files },
      { runtime, layer: 'penultimate', batchSize: 1, maxLength: 77 },
      textEncoder,
    ),
  );
}

/** Reads the files of CLIP's tokenizer: `tokenizer.json`, or `vocab.json` and `merges.txt`. */
async function readTokenizerFiles(folder: string) {
  const whole = await readJson(join(folder, 'tokenizer.json'), 'optional');
  const tokenizer = whole ?? {
    vocab: await readJson(join(folder, 'vocab.json')),
    merges: await readText(join(folder, 'merges.txt')),
  };
  return { tokenizer, tokenizerConfig: await readJson(join(folder, 'tokenizer_config.json'), 'optional') };
}
