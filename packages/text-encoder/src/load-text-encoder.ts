import { nextTurn, object, oneOf, readConfig } from '@dalle-mini/core';
import type { CheckpointTensor } from '@dalle-mini/graph/stored';
import type { StoredTensor } from '@dalle-mini/weights';
import { bertModelTypes, parseBertConfig } from './bert/config.js';
import { HuggingFaceTextEncoder } from './bert/hugging-face-text-encoder.js';
import { bertWeights } from './bert/weights.js';
import type { ClipTextLayer } from './clip/clip-text.js';
import { ClipTextEncoder } from './clip/clip-text-encoder.js';
import { parseClipTextConfig } from './clip/config.js';
import { clipTextTokenizer } from './clip/tokenizer.js';
import { clipTextWeights } from './clip/weights.js';
import type { CompiledTextEncoder, CompiledTextEncoderOptions } from './compiled-text-encoder.js';
import { parseT5Config } from './t5/config.js';
import { T5TextEncoder } from './t5/t5-text-encoder.js';
import { t5Weights } from './t5/weights.js';
import type { TextTokenizer } from './tokenizers/text-tokenizer.js';
import { tokenizerFromFiles } from './tokenizers/vocabulary-files.js';

/** The contents of the files of a Hugging Face model. */
export interface HuggingFaceFiles<Weight = StoredTensor> {
  /**
   * The parsed `config.json`; its `model_type` is `bert`, `roberta`, `xlm-roberta`, `camembert`, `distilbert`, `mpnet`, `bart`, `t5`,
   * `clip` or `clip_text_model`.
   */
  readonly config: object;
  /**
   * The parsed `tokenizer.json`. For models without one: `{ vocab, merges }`, the parsed `vocab.json` and the text of
   * `merges.txt`, or `{ vocab }`, the text of `vocab.txt`.
   */
  readonly tokenizer: object;
  /**
   * The parsed `tokenizer_config.json`. Needed only if `tokenizer.json` does not name the padding token, or if the
   * tokenizer of vocabulary files has options such as `do_lower_case`.
   */
  readonly tokenizerConfig?: object | undefined;
  /**
   * The tensors of `model.safetensors`, `pytorch_model.bin` or (not of T5 and CLIP) `flax_model.msgpack`, in any floating-point type or
   * in 8 bits with scales, of the bare model or of one with a head. Tensors that the hidden states do not need are ignored.
   */
  readonly weights: ReadonlyMap<string, Weight>;
}

export interface LoadTextEncoderOptions extends Omit<CompiledTextEncoderOptions, 'tokenizer'> {
  /** For CLIP: which hidden states `encode` returns, the last, normalized, or those before the last layer. Default `last`. */
  readonly layer?: ClipTextLayer | undefined;
}

/** A kind of model of Hugging Face. */
interface TextEncoderKind<Config> {
  parse(json: object, source?: string): Config;
  sizes(config: Config): TextEncoderSizes;
  tokenizer(files: object, tokenizerConfig?: object, folder?: string): Promise<TextTokenizer>;
  create(
    config: Config,
    weights: ReadonlyMap<string, CheckpointTensor>,
    options: CompiledTextEncoderOptions & Pick<LoadTextEncoderOptions, 'layer'>,
  ): CompiledTextEncoder;
}

/** Makes the type of a configuration the kind's own affair. */
function kind<Config>(parts: TextEncoderKind<Config>) {
  return {
    sizes: (json: object, source?: string) => parts.sizes(parts.parse(json, source)),
    async load(
      { config: json, tokenizer: tokenizerFiles, tokenizerConfig, weights }: HuggingFaceFiles<CheckpointTensor>,
      options: LoadTextEncoderOptions,
      folder?: string,
    ) {
      const config = parts.parse(json, configPath(folder));
      const tokenizer = await parts.tokenizer(tokenizerFiles, tokenizerConfig, folder);
      await nextTurn();
      return parts.create(config, weights, { ...options, tokenizer });
    },
  };
}

const bert = kind({
  parse: parseBertConfig,
  sizes: (config) => config,
  tokenizer: tokenizerFromFiles,
  create: (config, weights, options) => new HuggingFaceTextEncoder(config, bertWeights(weights, config), options),
});

const t5 = kind({
  parse: parseT5Config,
  sizes: (config) => config,
  tokenizer: tokenizerFromFiles,
  create: (config, weights, options) => new T5TextEncoder(config, t5Weights(weights, config), options),
});

const clip = kind({
  parse: parseClipTextConfig,
  sizes: ({ text, maxLength }) => ({ width: text.width, positions: maxLength }),
  tokenizer: clipTextTokenizer,
  create: (config, weights, options) => new ClipTextEncoder(config, clipTextWeights(weights, config), options),
});

const modelTypes = ['t5', 'clip', 'clip_text_model', ...bertModelTypes] as const;
const others: Partial<Record<(typeof modelTypes)[number], typeof bert>> = { t5, clip, clip_text_model: clip };
const typeFile = object({ model_type: oneOf(modelTypes) }, { unknown: 'ignore' });

function kindOf(json: object, source = 'config.json') {
  return others[readConfig(typeFile, json, source).model_type] ?? bert;
}

const configPath = (folder: string | undefined) => (folder === undefined ? undefined : `${folder}/config.json`);

/** Sizes of a text encoder. */
export interface TextEncoderSizes {
  /** Width of a hidden state. */
  readonly width: number;
  /** The longest caption in tokens. */
  readonly positions: number;
}

/**
 * Reads the sizes of a text encoder of Hugging Face from its parsed `config.json`.
 *
 * @param source Path of the file, for error messages.
 * @throws ConfigError if the file describes another kind of model, or an option that is not supported.
 */
export function textEncoderSizes(json: object, source?: string): TextEncoderSizes {
  const { width, positions } = kindOf(json, source).sizes(json, source);
  return { width, positions };
}

/**
 * Makes a text encoder from the contents of the files of its repository. Weights in the layout of PyTorch may also stay in
 * their file.
 *
 * @param folder The folder of the files, for error messages.
 * @throws OptionError if an option is wrong, such as a `maxLength` of more than the positions of the model; ConfigError
 *   if `config.json` describes another kind of model, or an option that is not supported, or if the files are not those
 *   of a tokenizer; CheckpointError if a weight is missing or has another shape.
 */
export async function loadTextEncoder(
  files: HuggingFaceFiles<CheckpointTensor>,
  options: LoadTextEncoderOptions,
  folder?: string,
): Promise<CompiledTextEncoder> {
  return kindOf(files.config, configPath(folder)).load(files, options, folder);
}
