/** Opens text encoders from files. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { boolean, integer, number, object, oneOf, optional, readConfig, readOptions } from '@dalle-mini/core';
import { exists, readJsonFile, readTextFile } from '@dalle-mini/core/node';
import type { TensorData } from '@dalle-mini/graph';
import { readParameter } from '@dalle-mini/graph/node';
import { chooseRuntime, type RuntimeOptions, runtimeFields } from '@dalle-mini/graph/onnxruntime';
import { bindParameters } from '@dalle-mini/graph/stored';
import { findModel, type ReadOptions, whichField } from '@dalle-mini/weights';
import { type HubOptions, hubFields, huggingFaceFiles, resolveModelFolder } from '@dalle-mini/weights/hub';
import { findWeights, readCheckpointFile, readHuggingFaceFolder } from '@dalle-mini/weights/node';
import type { ClipTextLayer } from './clip/clip-text.js';
import type { CompiledTextEncoder } from './compiled-text-encoder.js';
import { bartParameters, checkBartConfig } from './dalle-mini/bart.js';
import { type BartParts, BartTextEncoder } from './dalle-mini/bart-text-encoder.js';
import { importTextEncoder, importTextEncoderConfig } from './dalle-mini/published.js';
import { type LoadTextEncoderOptions, loadTextEncoder, textEncoderSizes } from './load-text-encoder.js';
import {
  type DalleMiniTokenizerOptions,
  dalleMiniTokenizer,
  type dalleMiniTokenizerFiles,
  neededTokenizerFiles,
  wordsFile,
} from './tokenizers/dalle-mini-files.js';
import type { TextTokenizer } from './tokenizers/text-tokenizer.js';

export {
  type DalleMiniTokenizerOptions,
  dalleMiniTokenizerFiles,
  neededTokenizerFiles,
  wordsFile,
} from './tokenizers/dalle-mini-files.js';

/**
 * Reads DALL·E Mini's tokenizer from a folder: from `tokenizer.json`, or `vocab.json` and `merges.txt`.
 *
 * @throws FileError if a file is missing; ConfigError if it is damaged.
 */
export async function readDalleMiniTokenizer(
  folder: string,
  options: DalleMiniTokenizerOptions = {},
): Promise<TextTokenizer> {
  const read = async (name: string, needed?: 'needed') => {
    const path = join(folder, name);
    return needed || (await exists(path)) ? readTextFile(path) : undefined;
  };
  return dalleMiniTokenizer(read, options, folder);
}

export interface OpenTextEncoderOptions extends HubOptions, RuntimeOptions, ReadOptions {
  /**
   * Length in tokens to which captions are truncated or padded. Default 64, or the positions of the model or the
   * `model_max_length` of its `tokenizer_config.json` if they are fewer.
   */
  readonly maxLength?: number | undefined;
  /** Number of captions computed at once. Default 4. */
  readonly batchSize?: number | undefined;
  /**
   * Reads emoji that the vocabulary lacks by their names, "🍎" as "red apple". Default false, as in the published
   * tokenizer, which reads every such emoji as the same unknown token.
   */
  readonly emojiNames?: boolean | undefined;
  /** For CLIP: which hidden states `encode` returns, the last, normalized, or those before the last layer. Default `last`. */
  readonly layer?: ClipTextLayer | undefined;
  /**
   * The tokenizer for a DALL·E Mini: `bart` of the published code, or `min-dalle` of kuprel/min-dalle. Default `bart`.
   */
  readonly tokenizer?: 'bart' | 'min-dalle' | undefined;
}

const openFields = object<OpenTextEncoderOptions>({
  ...hubFields,
  ...runtimeFields,
  maxLength: optional(integer({ min: 1 })),
  batchSize: optional(integer({ min: 1 })),
  emojiNames: optional(boolean()),
  layer: optional(oneOf(['last', 'penultimate'])),
  tokenizer: optional(oneOf(['bart', 'min-dalle'])),
  which: whichField,
});

/** The length of captions in the published models. */
const usualLength = 64;

/**
 * Opens a text encoder from a folder, or from the Hugging Face hub by a name such as
 * `sentence-transformers/all-MiniLM-L6-v2`:
 *
 * - a BERT, RoBERTa, XLM-RoBERTa, CamemBERT, DistilBERT, MPNet, BART, T5 or CLIP of Hugging Face;
 * - the text encoder of a DALL·E Mini, in a published model or in the folder `text-encoder` of a model folder.
 *
 * @throws ConfigError or CheckpointError if a file is damaged, or the files do not match; FileError if a file cannot be
 * read; HubError if the download fails; OptionError if an option is wrong.
 *
 * @example
 * ```ts
 * import { openTextEncoder } from '@dalle-mini/text-encoder/node';
 *
 * const textEncoder = await openTextEncoder('model/text-encoder', { maxLength: 32 });
 * const { hiddenStates } = await textEncoder.encode(['a red apple']);
 * await textEncoder.dispose();
 * ```
 */
export async function openTextEncoder(
  source: string,
  options: OpenTextEncoderOptions = {},
): Promise<CompiledTextEncoder> {
  const { runtime, threads, tokenizer, layer, batchSize, maxLength, emojiNames, which, ...hub } = readOptions(
    openFields,
    options,
    'openTextEncoder',
  );
  const folder = await resolveModelFolder(source, textEncoderFiles, hub);
  hub.signal?.throwIfAborted();
  const chosen = chooseRuntime({ runtime, threads });
  const encoderOptions = { ...chosen, batchSize, maxLength, emojiNames };
  try {
    const json = await readJsonFile(join(folder, 'config.json'));
    return json.model_type === undefined || json.model_type === 'dallebart'
      ? await openDalleMini(folder, json, tokenizer, which, encoderOptions)
      : await openHuggingFace(folder, json, which, { ...encoderOptions, ...(layer && { layer }) });
  } catch (error) {
    if (chosen.ownsRuntime) await chosen.runtime.dispose();
    throw error;
  }
}

type EncoderOptions = Omit<LoadTextEncoderOptions, 'layer'>;

const tokenizerConfigFile = object(
  { model_max_length: optional(number({ min: 1 })) },
  { unknown: 'ignore', nullIsAbsent: true },
);

async function openHuggingFace(
  folder: string,
  json: object,
  which: ReadOptions['which'],
  options: LoadTextEncoderOptions,
): Promise<CompiledTextEncoder> {
  const { positions } = textEncoderSizes(json, join(folder, 'config.json'));
  const readWeights = async (path: string) => (await readCheckpointFile(path, { which })).tensors;
  const files = await readHuggingFaceFolder(folder, readWeights);
  const source = join(folder, 'tokenizer_config.json');
  const { model_max_length = positions } = readConfig(tokenizerConfigFile, files.tokenizerConfig ?? {}, source);
  const { maxLength = Math.min(usualLength, positions, Math.floor(model_max_length)) } = options;
  return loadTextEncoder(files, { ...options, maxLength }, folder);
}

async function openDalleMini(
  folder: string,
  json: Readonly<Record<string, unknown>>,
  kind: 'bart' | 'min-dalle' | undefined,
  which: ReadOptions['which'],
  options: EncoderOptions,
): Promise<BartTextEncoder> {
  const { config, parameters, tokenizer } = await readBart(folder, json, kind, which);
  const { maxLength = Math.min(usualLength, config.maxLength) } = options;
  return new BartTextEncoder(config, parameters, { ...options, tokenizer, maxLength });
}

/** Reads the text encoder of a DALL·E Mini, whose `config.json` is `json`. */
async function readBart(
  folder: string,
  json: Readonly<Record<string, unknown>>,
  kind: 'bart' | 'min-dalle' | undefined,
  which: ReadOptions['which'],
): Promise<BartParts & { readonly normalizes: boolean }> {
  const path = join(folder, 'config.json');
  const isPublished = json.model_type === 'dallebart' || 'd_model' in json;
  const config = isPublished ? importTextEncoderConfig(json, path) : checkBartConfig(json, path);
  // The published code normalizes captions only if its config.json sets normalize_text.
  const normalizes = !isPublished || json.normalize_text === true;
  const [tokenizer, { tensors }] = await Promise.all([
    readDalleMiniTokenizer(folder, { kind, normalize: normalizes }),
    findWeights(folder, [isPublished ? 'flax_model.msgpack' : 'model.safetensors']).then((file) =>
      readCheckpointFile(file, { which }),
    ),
  ]);
  const weights = isPublished ? importTextEncoder(tensors, config) : tensors;
  const declared = bartParameters(config);
  const names = [...declared.keys()].map((name) => [name]);
  // What the model does not have could change what it computes, such as the scales of norms.
  const parameters = bindParameters(declared, findModel(weights, names).tensors, { isUnneeded: () => false });
  return { config, tokenizer, parameters, normalizes };
}

/** The text encoder of a DALL·E Mini, and the files of its tokenizer. */
export interface DalleMiniTextEncoder extends BartParts {
  readonly parameters: ReadonlyMap<string, TensorData>;
  /** The contents of the files that the tokenizer needs. */
  readonly tokenizerFiles: Readonly<Partial<Record<(typeof dalleMiniTokenizerFiles)[number], string>>>;
}

/**
 * Reads the text encoder of a DALL·E Mini into memory, from a published model or from the folder `text-encoder` of a model
 * folder.
 *
 * @param tokenizer The tokenizer of the published code, or of kuprel/min-dalle. Default `bart`.
 * @param options Which weights of the file are read.
 * @throws ConfigError or CheckpointError if a file is damaged, or the files do not match; FileError if a file cannot be
 *   read.
 */
export async function readDalleMiniTextEncoder(
  folder: string,
  tokenizer?: 'bart' | 'min-dalle' | undefined,
  options: ReadOptions = {},
): Promise<DalleMiniTextEncoder> {
  const { normalizes, ...parts } = await readBart(
    folder,
    await readJsonFile(join(folder, 'config.json')),
    tokenizer,
    options.which,
  );
  const parameters = new Map<string, TensorData>();
  for (const [name, value] of parts.parameters) parameters.set(name, await readParameter(value));
  const names = (await readdir(folder)).filter((name) => tokenizer !== 'min-dalle' || name !== 'tokenizer.json');
  const needed = neededTokenizerFiles(names).filter((name) => normalizes || name !== wordsFile);
  const files = await Promise.all(needed.map(async (name) => [name, await readTextFile(join(folder, name))] as const));
  return { ...parts, parameters, tokenizerFiles: Object.fromEntries(files) };
}

/**
 * Chooses the files of a text encoder that {@link openTextEncoder} needs, of those that a repository has. Pass it as `files`
 * of `downloadModel`.
 */
export function textEncoderFiles(listing: readonly { readonly name: string }[]): string[] {
  const names = listing.map(({ name }) => name);
  // Only DALL·E Mini has a word list.
  return names.includes(wordsFile) && names.includes('flax_model.msgpack')
    ? ['config.json', 'flax_model.msgpack', ...neededTokenizerFiles(names)]
    : huggingFaceFiles(listing);
}
