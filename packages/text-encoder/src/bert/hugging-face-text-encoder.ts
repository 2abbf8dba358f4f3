import { nextTurn } from '@dalle-mini/core';
import type { CheckpointTensor, StoredParameter } from '@dalle-mini/graph/stored';
import type { StoredTensor } from '@dalle-mini/weights';
import { CompiledTextEncoder, type CompiledTextEncoderOptions } from '../compiled-text-encoder.js';
import { tokenizerFromFiles } from '../tokenizers/vocabulary-files.js';
import { type BertConfig, bertGraph } from './bert.js';
import { parseBertConfig } from './config.js';
import { bertWeights } from './weights.js';

/** The contents of the files of a Hugging Face model. */
export interface HuggingFaceFiles<Weight = StoredTensor> {
  /** The parsed `config.json`; its `model_type` is `bert`, `roberta`, `xlm-roberta`, `camembert`, `distilbert` or `bart`. */
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
   * The tensors of `model.safetensors`, `pytorch_model.bin` or `flax_model.msgpack`, in any floating-point type or in 8
   * bits with scales, of the bare model or of one with a head. Tensors that the hidden states do not need are ignored.
   */
  readonly weights: ReadonlyMap<string, Weight>;
}

/**
 * A pretrained text encoder of the BERT family: BERT, RoBERTa, DistilBERT, the encoder of BART, or MiniLM, for example.
 * {@link loadTextEncoder} makes one from the contents of files.
 */
export class HuggingFaceTextEncoder extends CompiledTextEncoder {
  /**
   * @param config The sizes and options of the model, from `parseBertConfig`.
   * @param parameters The parameters of `bert`, from `bertWeights`. Unknown ones are ignored.
   * @throws OptionError if an option is wrong, such as a `maxLength` of more than the positions of the model.
   */
  constructor(
    config: BertConfig,
    parameters: ReadonlyMap<string, StoredParameter>,
    options: CompiledTextEncoderOptions,
  ) {
    const { width, positions, vocabularySize } = config;
    const graph = (batch: number, length: number) => bertGraph(config, batch, length);
    const model = { width, positions, vocabularySize, lengthVaries: true, graph };
    super(model, parameters, options, 'new HuggingFaceTextEncoder');
  }
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
  options: Omit<CompiledTextEncoderOptions, 'tokenizer'>,
  folder?: string,
): Promise<HuggingFaceTextEncoder> {
  const config = parseBertConfig(files.config, folder === undefined ? undefined : `${folder}/config.json`);
  const tokenizer = await tokenizerFromFiles(files.tokenizer, files.tokenizerConfig, folder);
  await nextTurn();
  return new HuggingFaceTextEncoder(config, bertWeights(files.weights, config), { ...options, tokenizer });
}
