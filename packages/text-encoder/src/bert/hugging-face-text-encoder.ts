import { nextTurn } from '@dalle-mini/core';
import type { CheckpointTensor } from '@dalle-mini/graph/stored';
import type { StoredTensor } from '@dalle-mini/weights';
import { CompiledTextEncoder, type CompiledTextEncoderOptions, readMakeOptions } from '../compiled-text-encoder.js';
import { emojiNamingTokenizer } from '../tokenizers/emoji-naming-tokenizer.js';
import { tokenizerFromFiles } from '../tokenizers/vocabulary-files.js';
import { bertGraph } from './bert.js';
import { parseBertConfig } from './config.js';
import { bertWeights } from './weights.js';

/** The contents of the files of a Hugging Face model. */
export interface HuggingFaceFiles<Weight = StoredTensor> {
  /** The parsed `config.json`; its `model_type` is `bert`, `roberta`, `distilbert` or `bart`. */
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
 */
export class HuggingFaceTextEncoder extends CompiledTextEncoder {
  /**
   * Loads a model from the files of its repository. Weights in the layout of PyTorch may also stay in their file.
   *
   * @throws OptionError if `maxLength` is more than the positions of the model, or `batchSize` is not a whole number of
   * at least 1; ConfigError if `config.json` describes another kind of model, or an option that is not supported;
   * CheckpointError if a weight is missing or has another shape; Error if the files are not those of a tokenizer.
   */
  static async fromFiles(
    files: HuggingFaceFiles<CheckpointTensor>,
    options: CompiledTextEncoderOptions,
  ): Promise<HuggingFaceTextEncoder> {
    const config = parseBertConfig(files.config);
    const given = readMakeOptions(options, config.positions, 'HuggingFaceTextEncoder.fromFiles');
    const { runtime, ownsRuntime, maxLength, batchSize, emojiNames } = given;
    const published = await tokenizerFromFiles(files.tokenizer, files.tokenizerConfig);
    const tokenizer = emojiNames ? emojiNamingTokenizer(published) : published;
    await nextTurn();
    const graph = bertGraph(config, batchSize, maxLength);
    const executable = await runtime.compile(graph, { parameters: bertWeights(files.weights, config) });
    const own = ownsRuntime ? runtime : undefined;
    return new HuggingFaceTextEncoder(config.width, maxLength, batchSize, true, tokenizer, executable, own);
  }
}
