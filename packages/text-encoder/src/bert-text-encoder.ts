import { type Executable, input, ParameterScope, type Runtime, type Tensor, type TensorData } from '@dalle-mini/graph';
import { dequantize, type StoredTensor } from '@dalle-mini/weights';
import { bert, parseBertConfig } from './bert.js';
import type { EncodeOptions, TextEncoder, TextEncoding } from './text-encoder.js';
import { type CaptionTokenizer, loadTokenizer } from './tokenizer.js';

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
export class BertTextEncoder implements TextEncoder {
  private constructor(
    readonly hiddenSize: number,
    readonly maxLength: number,
    private readonly batchSize: number,
    private readonly tokenizer: CaptionTokenizer,
    private readonly executable: Executable,
  ) {}

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
    if (!Number.isInteger(maxLength) || maxLength < 1 || maxLength > config.maxPositions) {
      throw new RangeError(
        `maxLength is ${maxLength}; this model has positions for 1 to ${config.maxPositions} tokens.`,
      );
    }
    if (!Number.isInteger(batchSize) || batchSize < 1) {
      throw new RangeError(`batchSize is ${batchSize}; it must be a whole number of 1 or more.`);
    }
    const scope = new ParameterScope();
    const inputs = {
      ids: input('ids', [batchSize, maxLength], 'int32'),
      attentionMask: input('attentionMask', [batchSize, maxLength], 'int32'),
    };
    const outputs = { hiddenStates: bert(scope, config, inputs.ids, inputs.attentionMask) };
    const parameters = pickParameters(scope.parameters, files.weights);
    const executable = await runtime.compile({ inputs, outputs }, { parameters });
    return new BertTextEncoder(config.hiddenSize, maxLength, batchSize, tokenizer, executable);
  }

  async encode(captions: readonly string[], options: EncodeOptions = {}): Promise<TextEncoding> {
    const { hiddenSize, maxLength, batchSize } = this;
    const batch = captions.length;
    const { ids, attentionMask } = this.tokenizer.encode(captions, maxLength);
    const hiddenStates = new Float32Array(batch * maxLength * hiddenSize);
    for (let start = 0; start < batch; start += batchSize) {
      options.signal?.throwIfAborted();
      const end = Math.min(start + batchSize, batch);
      const outputs = await this.executable.run({
        ids: this.rows(ids, start, end),
        attentionMask: this.rows(attentionMask, start, end),
      });
      const computed = outputs.hiddenStates!.data.subarray(0, (end - start) * maxLength * hiddenSize);
      hiddenStates.set(computed, start * maxLength * hiddenSize);
    }
    options.signal?.throwIfAborted();
    return { hiddenStates, attentionMask, batch, length: maxLength, hiddenSize };
  }

  async dispose(): Promise<void> {
    await this.executable.dispose();
  }

  /** Captions `start` to `end` as one full batch; the rows that are left over are all padding. */
  private rows(values: Int32Array, start: number, end: number): TensorData {
    const { batchSize, maxLength } = this;
    const data = new Int32Array(batchSize * maxLength);
    data.set(values.subarray(start * maxLength, end * maxLength));
    return { dtype: 'int32', shape: [batchSize, maxLength], data };
  }
}

/** The values of the parameters that a model declared, found by name among a checkpoint's tensors. */
function pickParameters(
  declared: ReadonlyMap<string, Tensor>,
  weights: ReadonlyMap<string, StoredTensor>,
): Map<string, TensorData> {
  const stored = new Map([...dequantize(weights)].map(([name, tensor]) => [currentName(name), tensor]));
  const parameters = new Map<string, TensorData>();
  for (const [name, { shape }] of declared) {
    const tensor = stored.get(name);
    if (tensor === undefined) {
      throw new Error(
        `The weights have no tensor ${name}; give the model.safetensors that belongs to this config.json.`,
      );
    }
    if (tensor.shape.join() !== shape.join()) {
      throw new Error(
        `The weights' tensor ${name} has shape [${tensor.shape}], but config.json asks for [${shape}]; the two files do not belong together.`,
      );
    }
    parameters.set(name, tensor);
  }
  return parameters;
}

/** A name as `BertModel` writes it today: without the prefix of models with a head, and without TensorFlow's names for norms. */
function currentName(name: string): string {
  return name
    .replace(/^bert\./, '')
    .replace(/LayerNorm\.gamma$/, 'LayerNorm.weight')
    .replace(/LayerNorm\.beta$/, 'LayerNorm.bias');
}
