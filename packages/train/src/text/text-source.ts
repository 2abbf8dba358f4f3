import {
  field,
  implementation,
  integer,
  OptionError,
  object,
  oneOf,
  refuse,
  type TextEncoder,
  type TextEncoding,
  variant,
} from '@dalle-mini/core';
import type { CaptionStates } from '@dalle-mini/data';
import { type AnyDecoderConfig, type CaptionInput, type LlamaGenConfig, padAtStart } from '@dalle-mini/decoder';
import { input, ParameterScope, type Runtime, type Tensor, type TensorData } from '@dalle-mini/graph';
import { type BartConfig, type BertConfig, bart, bert } from '@dalle-mini/text-encoder';
import type { TextTokenizer } from '@dalle-mini/text-encoder/tokenizers';
import { parametersField } from '../run/options.js';
import type { Settings } from '../run/settings.js';
import type { Start } from '../run/trainer.js';
import { CaptionCache, padded } from './caption-cache.js';

/** A text encoder that is not trained. Its hidden states are computed once per caption and cached. */
export interface FrozenTextEncoder {
  readonly kind: 'frozen';
  readonly encoder: TextEncoder;
}

/**
 * A text encoder that is trained together with the decoder; see `trainedTextEncoder`. The names of its trained
 * parameters begin with `text_encoder.`.
 */
export interface TrainedTextEncoder {
  readonly kind: 'trained';
  /** The configuration of a BERT or a related model, or of the text encoder of DALL·E Mini. */
  readonly config: BertConfig | BartConfig;
  readonly tokenizer: TextTokenizer;
  /** Length in tokens to which every caption is truncated or padded, at most the positions of the model. */
  readonly maxLength: number;
  /** The pretrained parameters, named as `bert` or `bart` declares them. */
  readonly parameters: ReadonlyMap<string, TensorData>;
}

/** Of the two configurations, only that of DALL·E Mini names its longest caption `maxLength`. */
const isBart = (config: BertConfig | BartConfig): config is BartConfig => 'maxLength' in config;

/** Either of them. */
export const textEncoderField = variant<FrozenTextEncoder | TrainedTextEncoder, 'kind'>('kind', {
  frozen: object<FrozenTextEncoder>({
    kind: oneOf(['frozen']),
    encoder: implementation<TextEncoder>('a text encoder', ['encode']),
  }),
  trained: object<TrainedTextEncoder>(
    {
      kind: oneOf(['trained']),
      config: field('the configuration of a text encoder', (value) => typeof value === 'object' && value !== null),
      tokenizer: implementation<TextTokenizer>('a text tokenizer', ['encode']),
      maxLength: integer({ min: 1 }),
      parameters: parametersField,
    },
    {
      check({ maxLength, config }, at) {
        const positions = isBart(config) ? config.maxLength : config.positions;
        if (maxLength > positions)
          refuse(at('maxLength'), `at most ${positions}, the positions of the encoder`, maxLength);
      },
    },
  ),
});

/** The captions of one batch as inputs of a training graph: shapes and types, values, and tensors by name. */
export type BatchShapes = Record<string, { readonly shape: readonly number[]; readonly dtype: 'float32' | 'int32' }>;
export type BatchValues = Record<string, Float32Array | Int32Array>;
export type BatchTensors = Readonly<Record<string, Tensor>>;

/** The input of captions to a training graph: as hidden states, or as token ids that the graph encodes or the decoder reads. */
export interface TextSource {
  /** Width of a hidden state. */
  readonly width: number;
  readonly settings: Settings;
  /** Initial values of trained parameters, by their names in the graph, which begin with `prefix`. */
  readonly start?: Start | undefined;
  readonly shapes: (batchSize: number) => BatchShapes;
  /**
   * @param stored The hidden states of the captions, if they need not be computed.
   * @param dropped 1 for a caption that the decoder reads as none, for those with an embedding for it. Default 0.
   */
  readonly values: (
    captions: readonly string[],
    stored?: readonly CaptionStates[],
    dropped?: Int32Array,
  ) => Promise<BatchValues>;
  /** The text encoder whose stored hidden states are used instead of it. */
  readonly frozen?: TextEncoder | undefined;
  /** What the decoder reads of captions, in the graph. */
  readonly read: (scope: ParameterScope, batch: BatchTensors) => CaptionInput;
  /** Encodes captions with the current parameters of training. */
  readonly encode: (
    captions: readonly string[],
    parameters: ReadonlyMap<string, TensorData>,
    runtime: Runtime,
  ) => Promise<TextEncoding>;
}

/** The first part of the names of a trained text encoder's parameters. */
export const textEncoderPrefix = 'text_encoder';

/** @throws OptionError if the text encoder is trained, and the decoder cannot be trained together with it. */
export function textSource(given: FrozenTextEncoder | TrainedTextEncoder, model: AnyDecoderConfig): TextSource {
  if (given.kind === 'frozen') return model.kind === 'llama-gen' ? llamaGenSource(given, model) : frozenSource(given);
  if (model.kind === 'decoder-only' || model.kind === 'llama-gen')
    throw new OptionError('textEncoder.kind', `"frozen" with a decoder of the kind "${model.kind}"`, given.kind);
  return trainedSource(given);
}

function frozenSource({ encoder }: FrozenTextEncoder): TextSource {
  const { width, maxLength } = encoder;
  if (width === 0) return tokenSource(encoder);
  const cache = new CaptionCache(encoder);
  return {
    width,
    settings: { kind: 'frozen', width, maxLength },
    shapes: (batchSize) => ({
      hiddenStates: { shape: [batchSize, maxLength, width], dtype: 'float32' },
      attentionMask: { shape: [batchSize, maxLength], dtype: 'int32' },
    }),
    values: async (captions, stored) => {
      const { hiddenStates, attentionMask } = stored ? padded(stored, maxLength, width) : await cache.encode(captions);
      return { hiddenStates, attentionMask };
    },
    frozen: encoder,
    read: (_, { hiddenStates, attentionMask }) => ({ hiddenStates: hiddenStates!, attentionMask: attentionMask! }),
    encode: (captions) => encoder.encode(captions),
  };
}

/** Token ids, for decoders that have embeddings of words, and classes. */
function tokenSource(encoder: TextEncoder): TextSource {
  const { maxLength } = encoder;
  return {
    width: 0,
    settings: { kind: 'tokens', maxLength },
    shapes: (batchSize) => ({
      ids: { shape: [batchSize, maxLength], dtype: 'int32' },
      attentionMask: { shape: [batchSize, maxLength], dtype: 'int32' },
    }),
    values: async (captions) => {
      const { tokens, attentionMask } = await encoder.encode(captions);
      return { ids: tokens!, attentionMask };
    },
    read: (_, { ids, attentionMask }) => ({ ids, attentionMask }),
    encode: (captions) => encoder.encode(captions),
  };
}

/** Classes, or hidden states that LlamaGen reads padded at the start, and which captions it reads as none. */
function llamaGenSource(given: FrozenTextEncoder, { classes, textLength }: LlamaGenConfig): TextSource {
  const source = frozenSource(given);
  if (classes !== undefined) return source;
  const length = textLength!;
  const { width } = source;
  return {
    ...source,
    shapes: (batchSize) => ({
      hiddenStates: { shape: [batchSize, length, width], dtype: 'float32' },
      attentionMask: { shape: [batchSize, length], dtype: 'int32' },
      dropped: { shape: [batchSize], dtype: 'int32' },
    }),
    async values(captions, stored, dropped = new Int32Array(captions.length)) {
      const { hiddenStates, attentionMask } = await source.values(captions, stored);
      const text = {
        hiddenStates: hiddenStates as Float32Array,
        attentionMask: attentionMask as Int32Array,
        batch: captions.length,
        length: given.encoder.maxLength,
        width,
      };
      return { ...padAtStart(text, length), dropped };
    },
    read: (_, { hiddenStates, attentionMask, dropped }) => ({ hiddenStates, attentionMask, dropped }),
  };
}

function trainedSource({ config, tokenizer, maxLength, parameters }: TrainedTextEncoder): TextSource {
  const { width } = config;
  const shapes = (batchSize: number) => ({
    ids: { shape: [batchSize, maxLength], dtype: 'int32' as const },
    attentionMask: { shape: [batchSize, maxLength], dtype: 'int32' as const },
  });
  const values = (captions: readonly string[]) => {
    const { ids, attentionMask } = tokenizer.encode(captions, maxLength);
    return { ids, attentionMask };
  };
  const read = (scope: ParameterScope, { ids, attentionMask }: BatchTensors) => ({
    hiddenStates: isBart(config)
      ? bart(scope.in(textEncoderPrefix), config, ids!, attentionMask!)
      : bert(scope.in(textEncoderPrefix), config, ids!, attentionMask!),
    attentionMask: attentionMask!,
  });
  return {
    width,
    settings: { kind: 'trained', config, maxLength },
    start: {
      covers: (name) => name.startsWith(textEncoderPrefix),
      values: new Map([...parameters].map(([name, value]) => [`${textEncoderPrefix}.${name}`, value])),
    },
    shapes,
    values: async (captions) => values(captions),
    read,
    encode: async (captions, trained, runtime) => {
      const batch = captions.length;
      const inputs = toInputs(shapes(batch));
      const { hiddenStates } = read(new ParameterScope(), inputs);
      const executable = await runtime.compile({ inputs, outputs: { hiddenStates } }, { parameters: trained });
      try {
        const given = values(captions);
        const outputs = await executable.run(toData(shapes(batch), given));
        const data = outputs.hiddenStates!.data as Float32Array;
        return { hiddenStates: data, attentionMask: given.attentionMask, batch, length: maxLength, width };
      } finally {
        await executable.dispose();
      }
    },
  };
}

/** Makes the input tensors of a graph for a batch. */
export function toInputs(shapes: BatchShapes): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(shapes).map(([name, { shape, dtype }]) => [name, input(name, shape, dtype)]),
  );
}

/** Combines the values of a batch with their shapes. */
export function toData(shapes: BatchShapes, values: BatchValues): Record<string, TensorData> {
  return Object.fromEntries(
    Object.entries(shapes).map(([name, shape]) => [name, { ...shape, data: values[name]! } as TensorData]),
  );
}
