/**
 * Trains small models with the text encoder of DALL·E Mini for some steps, and writes them for the published Python code. For
 * each set of options it writes a published model with its VQ-GAN, FOLDER/<name>, and the results of the models in
 * TypeScript, FOLDER/<name>.safetensors. load_published.py compares them.
 *
 * Usage: npm run build && node scripts/reference/write_published.mjs FOLDER
 */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createRandom } from '@dalle-mini/core';
import { importDecoderConfig, teacherForced } from '@dalle-mini/decoder';
import { input, ParameterScope } from '@dalle-mini/graph';
import { initializeParameters } from '@dalle-mini/graph/initializers';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { writePublishedModel } from '@dalle-mini/pipeline';
import { BartTextEncoder, bartParameters, importTextEncoderConfig } from '@dalle-mini/text-encoder';
import { trainDecoder, trainVqgan } from '@dalle-mini/train';
import { decodeGraph, encodeGraph } from '@dalle-mini/vqgan';
import { fromFloat32, fromInt32 } from '@dalle-mini/weights';
import { writeCheckpointFile } from '@dalle-mini/weights/node';

const target = process.argv[2];
if (target === undefined) {
  console.error('Pass an output folder: node scripts/reference/write_published.mjs FOLDER');
  process.exit(1);
}

// Sizes that vqgan-jax has: its norms have 32 groups.
const vqganConfig = {
  resolution: 16,
  inChannels: 3,
  ch: 32,
  chMult: [1, 2],
  numResBlocks: 1,
  attnResolutions: [8],
  zChannels: 8,
  embedDim: 6,
  nEmbed: 24,
};

const base = {
  encoder_vocab_size: 30,
  max_text_length: 8,
  image_vocab_size: 24,
  image_length: 64,
  d_model: 32,
  encoder_layers: 2,
  encoder_attention_heads: 4,
  encoder_ffn_dim: 48,
  decoder_layers: 3,
  decoder_attention_heads: 2,
  decoder_ffn_dim: 40,
};
const variants = {
  published: {},
  padded: { image_vocab_size: 31, decoder_start_token_id: 24 },
  ungated: {
    use_glu: false,
    use_bias: true,
    use_head_scale: true,
    force_ln_scale: true,
    scale_embedding: true,
    ln_type: 'rmsnorm',
    activation_function: 'swish',
  },
  postln: { ln_positions: 'postln', use_deepnet_scaling: true },
  subln: { ln_positions: 'subln', use_subln_init: true },
  swinv2: {
    ln_positions: 'swinv2',
    decoder_layers: 7,
    use_cosine_attention: true,
    use_swin_position_embeddings: true,
    use_absolute_position_embeddings: false,
  },
};

const steps = 20;
const runtime = new OnnxRuntime();
const runs = join(target, 'runs');
const run = { runtime, steps, seed: 1, checkpointEvery: steps, evaluateEvery: steps, evaluationSize: 4 };
const training = { batchSize: 4, learningRate: 3e-3, warmUpSteps: 2 };
await mkdir(target, { recursive: true });

/** Pictures of random pixels, others for each seed. */
const pictures = (length, seed) => ({
  length,
  async get(index) {
    const random = createRandom(seed, index);
    const data = Uint8Array.from({ length: 3 * 16 * 16 }, () => random.integer(256));
    return { key: `${index}`, image: { width: 16, height: 16, data }, captions: ['noise'] };
  },
});

const parameters = await trainVqgan({
  ...run,
  folder: join(runs, 'vqgan'),
  config: { ...training, model: vqganConfig },
  dataset: pictures(24, 1),
  order: (position) => position % 24,
  evaluation: pictures(4, 2),
});
const imageTokenizer = { config: vqganConfig, parameters };
const images = randomFloats([2, 3, 16, 16], 1);
const { tokens } = await compute(encodeGraph(vqganConfig, images.shape), parameters, { images });
const { images: pixels } = await compute(decodeGraph(vqganConfig, tokens.shape), parameters, { tokens });

/** Letters as tokens from 3 on; 0 begins a caption, 2 ends it, 1 pads. */
const tokenizer = {
  encode(captions, maxLength) {
    const ids = new Int32Array(captions.length * maxLength).fill(1);
    for (const [row, caption] of captions.entries()) {
      const letters = [...caption.replace(/[^a-z]/g, '')].map((letter) => 3 + letter.charCodeAt(0) - 97);
      ids.set([0, ...letters.slice(0, maxLength - 2), 2], row * maxLength);
    }
    return { ids, attentionMask: ids.map((id) => (id === 1 ? 0 : 1)) };
  },
};
const captions = ['a red circle', 'blue'];

for (const [name, options] of Object.entries(variants)) {
  const json = { ...base, ...options };
  const config = importTextEncoderConfig(json);
  const decoderConfig = importDecoderConfig(json);
  const textParameters = randomized(initializeParameters(bartParameters(config), 1));
  const encoder = new BartTextEncoder(config, textParameters, { tokenizer, runtime });
  const trained = await trainDecoder({
    ...run,
    folder: join(runs, name),
    config: { ...training, model: decoderConfig },
    dataset: grids(24),
    order: (position) => position % 24,
    evaluation: grids(4),
    textEncoder: { kind: 'frozen', encoder },
  });

  const text = await encoder.encode(captions);
  const shape = [text.batch, text.length];
  const given = {
    tokens: randomInts([2, 64], 24, 2),
    hiddenStates: { dtype: 'float32', shape: [...shape, text.width], data: text.hiddenStates },
    attentionMask: { dtype: 'int32', shape, data: text.attentionMask },
  };
  const inputs = Object.fromEntries(
    Object.entries(given).map(([name, { dtype, shape }]) => [name, input(name, shape, dtype)]),
  );
  const logits = teacherForced(new ParameterScope(), decoderConfig, inputs.tokens, inputs);
  const outputs = await compute({ inputs, outputs: { logits } }, trained, given);
  await encoder.dispose();

  await writePublishedModel(join(target, name), {
    textEncoder: { config, parameters: textParameters, tokenizer: 'bart', tokenizerFiles: {} },
    decoder: { config: decoderConfig, parameters: trained },
    imageTokenizer,
  });
  await writeCheckpointFile(
    join(target, `${name}.safetensors`),
    new Map([
      ['text_tokens', fromInt32(tokenizer.encode(captions, text.length).ids, shape)],
      ['text_mask', fromInt32(text.attentionMask, shape)],
      ['tokens', fromInt32(given.tokens.data, given.tokens.shape)],
      ['logits', fromFloat32(outputs.logits.data, outputs.logits.shape)],
      ['images', fromFloat32(images.data, images.shape)],
      ['image_tokens', fromInt32(tokens.data, tokens.shape)],
      ['pixels', fromFloat32(pixels.data, pixels.shape)],
    ]),
  );
}
await runtime.dispose();
await rm(runs, { recursive: true });

async function compute(graph, parameters, given) {
  const executable = await runtime.compile(graph, { parameters });
  const outputs = await executable.run(given);
  await executable.dispose();
  return outputs;
}

/** Grids of tokens by the number of their sample, with captions. */
function grids(length) {
  return {
    length,
    gridSize: 8,
    vocabularySize: 24,
    groups: async () => Array.from({ length }, (_, i) => [i]),
    get: async (i) => ({
      key: String(i),
      tokens: randomInts([64], 24, i).data,
      captions: [['red', 'green', 'blue'][i % 3]],
    }),
  };
}

/** Values that are off their first ones by a good deal: scales and biases that were ignored would be seen. */
function randomized(parameters) {
  const random = createRandom(2);
  for (const { data } of parameters.values()) for (let i = 0; i < data.length; i++) data[i] += 0.3 * random.normal();
  return parameters;
}

function randomFloats(shape, seed) {
  const random = createRandom(seed);
  const data = Float32Array.from({ length: shape.reduce((a, b) => a * b) }, () => Math.tanh(random.normal()));
  return { dtype: 'float32', shape, data };
}

function randomInts(shape, below, seed) {
  const random = createRandom(seed);
  const data = Int32Array.from({ length: shape.reduce((a, b) => a * b) }, () => random.integer(below));
  return { dtype: 'int32', shape, data };
}
