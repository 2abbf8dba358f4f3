import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DecoderConfig, teacherForced } from '@dalle-mini/decoder';
import { initializeParameters, input, ParameterScope, type TensorData } from '@dalle-mini/graph';
import { type ModelParts, writeModelFolder } from '@dalle-mini/pipeline';
import { bert, parseBertConfig } from '@dalle-mini/text-encoder';
import { reconstruct, type VqganConfig } from '@dalle-mini/vqgan';
import { fromFloat32 } from '@dalle-mini/weights';

const vqgan: VqganConfig = {
  resolution: 16,
  inChannels: 3,
  ch: 8,
  chMult: [1, 2],
  numResBlocks: 1,
  attnResolutions: [],
  zChannels: 8,
  embedDim: 4,
  nEmbed: 32,
  normGroups: 4,
};

const decoder: DecoderConfig = {
  vocabularySize: 32,
  gridSize: 8,
  width: 16,
  layers: 2,
  heads: 2,
  feedForwardWidth: 24,
  textWidth: 12,
};

const bertConfig = {
  model_type: 'bert',
  vocab_size: 8,
  hidden_size: 12,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  intermediate_size: 24,
  max_position_embeddings: 16,
  type_vocab_size: 2,
  layer_norm_eps: 1e-12,
};

const vocabulary = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', 'a', 'red', 'apple', '##s'];

const tokenizer = {
  added_tokens: vocabulary.slice(0, 4).map((content, id) => ({ id, content, special: true })),
  normalizer: { type: 'BertNormalizer', clean_text: true, handle_chinese_chars: true, lowercase: true },
  pre_tokenizer: { type: 'BertPreTokenizer' },
  post_processor: { type: 'BertProcessing', sep: ['[SEP]', 3], cls: ['[CLS]', 2] },
  decoder: null,
  model: {
    type: 'WordPiece',
    unk_token: '[UNK]',
    continuing_subword_prefix: '##',
    vocab: Object.fromEntries(vocabulary.map((token, id) => [token, id])),
  },
};

/** Number of tokens that the tiny model reads. */
export const tinyMaxLength = 10;

/** A whole model that draws noise: a VQ-GAN of 16 pixels, a decoder and a BERT of a few thousand weights, all random. */
export function tinyModel(): ModelParts {
  const vqganScope = new ParameterScope();
  reconstruct(vqganScope, input('images', [1, 3, 16, 16]), vqgan);
  const decoderScope = new ParameterScope();
  const text = {
    hiddenStates: input('hiddenStates', [1, 1, 12]),
    attentionMask: input('attentionMask', [1, 1], 'int32'),
  };
  teacherForced(decoderScope, decoder, input('tokens', [1, 64], 'int32'), text);
  const bertScope = new ParameterScope();
  bert(bertScope, parseBertConfig(bertConfig), input('ids', [1, 4], 'int32'), input('attentionMask', [1, 4], 'int32'));
  const weights = [...values(bertScope, 3)].map(
    ([name, { data, shape }]) => [name, fromFloat32(data as Float32Array, shape)] as const,
  );
  return {
    name: 'tiny',
    license: 'CC0-1.0',
    imageTokenizer: { config: vqgan, parameters: values(vqganScope, 1) },
    textEncoder: { files: { config: bertConfig, tokenizer, weights: new Map(weights) }, maxLength: tinyMaxLength },
    decoder: { config: decoder, parameters: values(decoderScope, 2) },
    sampling: { temperature: 1, topK: 24, guidanceScale: 2 },
  };
}

/** Larger values than training starts from, so that every input makes a difference that can be seen. */
function values(scope: ParameterScope, seed: number): Map<string, TensorData> {
  const initial = initializeParameters(scope.parameters, seed);
  for (const { data, shape } of initial.values()) {
    if (shape.length > 1 && Math.max(...data) < 0.2) for (let i = 0; i < data.length; i++) data[i]! *= 10;
  }
  return initial;
}

/** Makes a new folder that the caller removes. */
export async function temporaryFolder(): Promise<{ path: string; remove: () => Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'dalle-mini-'));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

/** Writes the tiny model to `<folder>/tiny` and returns that path. */
export async function writeTinyModel(folder: string): Promise<string> {
  const path = join(folder, 'tiny');
  await writeModelFolder(path, tinyModel());
  return path;
}
