import { input, ParameterScope, type Runtime } from '@dalle-mini/graph';
import type { StoredTensor } from '@dalle-mini/weights';
import { bert, parseBertConfig } from './bert.js';
import { CompiledTextEncoder, checkBatches, pickParameters } from './compiled-text-encoder.js';
import { loadTokenizer } from './tokenizer.js';

/** The files of a Hugging Face model, read. */
export interface BertFiles {
  /** The parsed `config.json`. */
  readonly config: object;
  /** The parsed `tokenizer.json`. */
  readonly tokenizer: object;
  /** The parsed `tokenizer_config.json`. Needed only if `tokenizer.json` does not tell the padding token. */
  readonly tokenizerConfig?: object;
  /** The tensors of `model.safetensors`, in any floating-point type or in 8 bits with scales. */
  readonly weights: ReadonlyMap<string, StoredTensor>;
}

export interface BertTextEncoderOptions {
  /** What computes the model. It is not disposed of with the encoder: several models may share it. */
  readonly runtime: Runtime;
  /** Number of tokens that every caption is cut or padded to, at most the model's `max_position_embeddings`. */
  readonly maxLength: number;
  /** Number of captions computed at once. Default 4. */
  readonly batchSize?: number;
}

/** A pretrained BERT, or one of its kin such as MiniLM, that reads captions. */
export class BertTextEncoder extends CompiledTextEncoder {
  /**
   * Loads a model from the files of its repository. `weights` may be those of `BertModel`, or of a model with a head on top
   * (names that start with `bert.`, as in bert-base-uncased); what the hidden states do not need is ignored.
   * @throws RangeError if `maxLength` is past the model's positions, or `batchSize` is not a whole number of 1 or more;
   * TypeError if `config.json` describes another kind of model; Error if a weight is missing or has another shape.
   */
  static async fromFiles(files: BertFiles, options: BertTextEncoderOptions): Promise<BertTextEncoder> {
    const { runtime, maxLength, batchSize = 4 } = options;
    const config = parseBertConfig(files.config);
    const tokenizer = loadTokenizer(files.tokenizer, files.tokenizerConfig);
    checkBatches(maxLength, batchSize, config.maxPositions);
    const scope = new ParameterScope();
    const inputs = {
      ids: input('ids', [batchSize, maxLength], 'int32'),
      attentionMask: input('attentionMask', [batchSize, maxLength], 'int32'),
    };
    const outputs = { hiddenStates: bert(scope, config, inputs.ids, inputs.attentionMask) };
    const parameters = pickParameters(scope.parameters, files.weights, currentName);
    const executable = await runtime.compile({ inputs, outputs }, { parameters });
    return new BertTextEncoder(config.hiddenSize, maxLength, batchSize, tokenizer, executable);
  }
}

/** A name as `BertModel` writes it today: without the prefix of models with a head, and without TensorFlow's names for norms. */
function currentName(name: string): string {
  return name
    .replace(/^bert\./, '')
    .replace(/LayerNorm\.gamma$/, 'LayerNorm.weight')
    .replace(/LayerNorm\.beta$/, 'LayerNorm.bias');
}
