/** A text-to-image model as a folder of files: the format, its reader and its writer. */
import { join, resolve } from 'node:path';
import {
  exists,
  makeFolder,
  type WriteFolderOptions,
  writeFolderAtomically,
  writeJsonFile,
} from '@dalle-mini/core/node';
import type { AnyDecoderConfig } from '@dalle-mini/decoder';
import { matchParameters } from '@dalle-mini/graph/stored';
import type { BartConfig } from '@dalle-mini/text-encoder';
import type { VqganConfig } from '@dalle-mini/vqgan';
import { discriminatorFile, writeDiscriminator } from '@dalle-mini/vqgan/node';
import { checkPart, checkParts, stored } from './check-parts.js';
import { descriptionFile, format, type ModelDescription, parseModelDescription, version } from './description.js';
import type { Dtype } from './dtype.js';
import { ModelFolderError } from './error.js';
import { checkReplaceable, readJson } from './files.js';
import type { AnyTextEncoderPart, ModelParts, WriteModelOptions } from './model-parts.js';
import { type PublishedPart, readDecoder, readVqgan, writePart } from './part.js';
import {
  bartKind,
  configFile,
  decoderKind,
  type PartKind,
  type VqganPart,
  vqganKind,
  weightsFile,
} from './part-kind.js';
import { readTextEncoder, writeHuggingFaceFiles, writeTokenizerFiles, writeTokensFile } from './text-encoder.js';
import type { TextEncoderDescription } from './text-encoder-description.js';

/**
 * Reads `model.json`.
 *
 * @throws ModelFolderError if it is missing, or a field is wrong for this version.
 */
export async function readModelDescription(folder: string): Promise<ModelDescription> {
  const path = join(folder, descriptionFile);
  return parseModelDescription(await readJson(path), path);
}

/** Checks whether a folder has a `model.json`. */
export async function isModelFolder(folder: string): Promise<boolean> {
  return exists(join(folder, descriptionFile));
}

/**
 * Reads a whole model folder into memory.
 *
 * @throws ModelFolderError if a file is missing, damaged, or does not match the others.
 */
export async function readModelFolder(folder: string): Promise<ModelParts> {
  const { name, license, imageTokenizer, textEncoder, decoder, sampling } = await readModelDescription(folder);
  if (textEncoder.type !== 'bert') {
    throw new ModelFolderError(
      `${join(folder, descriptionFile)}: textEncoder.type must be "bert" to be read, not "${textEncoder.type}". Use openTextEncoder of @dalle-mini/text-encoder/node.`,
    );
  }
  const [vqganPart, files, decoderPart] = await Promise.all([
    readVqgan(join(folder, imageTokenizer.folder)),
    readTextEncoder(join(folder, textEncoder.folder)),
    readDecoder(join(folder, decoder.folder)),
  ]);
  return {
    name,
    ...(license === undefined ? {} : { license }),
    imageTokenizer: vqganPart,
    textEncoder: { files, maxLength: textEncoder.maxLength },
    decoder: decoderPart,
    sampling,
  };
}

/**
 * Writes a model folder atomically: it is written next to its place and then renamed. It may replace a model folder,
 * but no other folder.
 *
 * @throws ModelFolderError if the parts do not match, or the folder has other files; FileError if it cannot be written.
 *
 * @example
 * ```ts
 * import { readModelFolder, writeModelFolder } from '@dalle-mini/pipeline';
 *
 * await writeModelFolder('model-q8', await readModelFolder('model'), { dtype: 'q8' });
 * ```
 */
export async function writeModelFolder(
  folder: string,
  parts: ModelParts<AnyTextEncoderPart>,
  options: WriteModelOptions = {},
): Promise<void> {
  const { name, license, imageTokenizer, textEncoder, decoder, sampling = {} } = parts;
  const target = resolve(folder);
  checkParts(parts);
  await checkReplaceable(target, [descriptionFile, 'vqgan', 'text-encoder', 'decoder']);
  await writeParts(
    target,
    {
      name,
      ...(license === undefined ? {} : { license }),
      textEncoder: describe(textEncoder),
      decoder: { type: decoder.config.kind ?? 'dalle-mini' },
      sampling,
    },
    {
      vqgan: async () => stored(imageTokenizer, vqganKind),
      decoder: async () => stored(decoder, decoderKind),
      ...('config' in textEncoder ? { textEncoder: async () => stored(textEncoder, bartKind) } : {}),
      textEncoderFiles: (place) => writeTextEncoderFiles(place, textEncoder),
    },
    options.dtype,
  );
}

/** Describes a text encoder in `model.json`, except its folder. */
function describe(part: AnyTextEncoderPart): WithoutFolder<TextEncoderDescription> {
  if ('files' in part) return { type: 'bert', maxLength: part.maxLength };
  if ('classes' in part) return { type: 'classes', maxLength: 1 };
  if ('tokenizerJson' in part) return { type: 'tokens', maxLength: part.maxLength };
  return { type: 'dalle-mini', maxLength: part.config.maxLength, tokenizer: part.tokenizer };
}

/** Writes the files of a text encoder except the weights of DALL·E Mini's. */
async function writeTextEncoderFiles(place: string, part: AnyTextEncoderPart): Promise<void> {
  if ('files' in part) await writeHuggingFaceFiles(place, part.files);
  else if ('config' in part) await writeTokenizerFiles(place, part.tokenizerFiles);
  else await writeTokensFile(place, part);
}

/**
 * Writes a single VQ-GAN atomically, in the layout of model folders, for `readVqgan`. If the parameters have the discriminator that it was
 * trained against, that is written too, for `readDiscriminator` of `@dalle-mini/vqgan/node`.
 *
 * @throws ModelFolderError if values are missing, or the folder has other files; FileError if it cannot be written.
 */
export async function writeVqgan(folder: string, part: VqganPart, options: WriteModelOptions = {}): Promise<void> {
  const target = resolve(folder);
  checkPart('VQ-GAN', part, vqganKind);
  await checkReplaceable(target, [configFile, weightsFile, discriminatorFile]);
  await writeFolderAtomically(target, async (temporary) => {
    await writePart(temporary, stored(part, vqganKind), vqganKind, options.dtype ?? 'fp32');
    await writeDiscriminator(temporary, part.parameters);
  });
}

/** The parts of a model as functions, so that not all parts are in memory at once. */
export interface PublishedParts {
  readonly vqgan: () => Promise<PublishedPart<VqganConfig>>;
  /** The BART encoder of DALL·E Mini. Missing for text encoders from Hugging Face. */
  readonly textEncoder?: (() => Promise<PublishedPart<BartConfig>>) | undefined;
  /** Writes the other files of the text encoder: those of its tokenizer, or all files of one from Hugging Face. */
  readonly textEncoderFiles: (folder: string) => Promise<void>;
  readonly decoder: () => Promise<PublishedPart<AnyDecoderConfig>>;
}

type WithoutFolder<Description> = Description extends unknown ? Omit<Description, 'folder'> : never;

/** The fields of `model.json` except the folders of the parts. */
export interface PublishedDescription extends Pick<ModelDescription, 'name' | 'license' | 'sampling'> {
  readonly textEncoder: WithoutFolder<TextEncoderDescription>;
  readonly decoder: Omit<ModelDescription['decoder'], 'folder'>;
}

/**
 * Writes a model folder atomically, part by part.
 *
 * @throws ModelFolderError if weights are missing or of another shape; FileError if it cannot be written.
 */
export async function writeParts(
  folder: string,
  { name, license, textEncoder, decoder, sampling }: PublishedDescription,
  parts: PublishedParts,
  dtype: Dtype = 'fp32',
  options: WriteFolderOptions = {},
): Promise<void> {
  const description: ModelDescription = {
    format,
    version,
    name,
    ...(license === undefined ? {} : { license }),
    imageTokenizer: { type: 'vqgan', folder: 'vqgan' },
    textEncoder: { ...textEncoder, folder: 'text-encoder' },
    decoder: { ...decoder, folder: 'decoder' },
    sampling,
  };
  const fill = async (temporary: string) => {
    const place = (part: string) => join(temporary, part);
    await Promise.all(['vqgan', 'text-encoder', 'decoder'].map((part) => makeFolder(place(part))));
    const write = async <Config extends object>(
      part: string,
      kind: PartKind<Config>,
      published: () => Promise<PublishedPart<Config>>,
    ) => writePart(place(part), neededOf(await published(), part, kind), kind, dtype);
    await write('vqgan', vqganKind, parts.vqgan);
    if (parts.textEncoder) await write('text-encoder', bartKind, parts.textEncoder);
    await parts.textEncoderFiles(place('text-encoder'));
    await write('decoder', decoderKind, parts.decoder);
    await writeJsonFile(join(temporary, descriptionFile), description);
  };
  await writeFolderAtomically(resolve(folder), fill, options);
}

/** Selects the weights that the part's parameters need. */
function neededOf<Config>({ config, weights }: PublishedPart<Config>, part: string, kind: PartKind<Config>) {
  try {
    const matches = [...matchParameters(kind.parameters(config), weights).values()];
    const needed = matches.flatMap(({ parts }) => parts.map(({ name, tensor }) => [name, tensor] as const));
    return { config, weights: new Map(needed) };
  } catch (error) {
    throw new ModelFolderError(`The ${part}: ${(error as Error).message}`, { cause: error });
  }
}
