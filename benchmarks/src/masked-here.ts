/**
 * Generates tokens with a decoder of random weights, in a separate process. Prints the times as a JSON line, as `peers/generate_diffusers.py`
 * does.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createRandom, type TextEncoding } from '@dalle-mini/core';
import { exists, makeFolder } from '@dalle-mini/core/node';
import {
  type AmusedConfig,
  type AnyDecoderConfig,
  createDecoder,
  decoderParameters,
  decoderPresets,
} from '@dalle-mini/decoder';
import { initializeParameters } from '@dalle-mini/graph/initializers';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { bindParameters } from '@dalle-mini/graph/stored';
import { type Checkpoint, fromFloat32 } from '@dalle-mini/weights';
import { locateTensors, writeCheckpointFile } from '@dalle-mini/weights/node';
import { measureRounds, type TimeStage } from './rounds.js';

const { values: options } = parseArgs({
  options: {
    work: { type: 'string' },
    model: { type: 'string' },
    passes: { type: 'string', default: '12' },
    images: { type: 'string', default: '1' },
    threads: { type: 'string' },
    rounds: { type: 'string', default: '1' },
  },
});

const mini = decoderPresets['dalle-mini'];

/** Decoders of the same size, and aMUSEd's of 256 pixels, as published. */
const models: Readonly<Record<string, AnyDecoderConfig | AmusedConfig>> = {
  autoregressive: mini,
  masked: { ...mini, kind: 'masked' },
  amused: {
    kind: 'amused',
    gridSize: 16,
    imageSize: 256,
    vocabularySize: 8192,
    paddedVocabularySize: 8256,
    maskToken: 8255,
    embeddingWidth: 768,
    blockWidth: 768,
    resBlocks: 3,
    blockHeads: 12,
    downsample: false,
    width: 1024,
    layers: 22,
    heads: 16,
    feedForwardWidth: 2816,
    textWidth: 768,
    textLength: 77,
    pooledWidth: 768,
    microWidth: 256,
    normEpsilon: 1e-6,
  },
};

const [images, threads, rounds, passes] = [options.images, options.threads, options.rounds, options.passes].map(
  Number,
) as [number, number, number, number];
const config = models[options.model!]!;
const path = await writeWeights(join(options.work!, options.model!));
const started = performance.now();
const parameters = bindParameters(decoderParameters(config), await locateTensors(path));
const runtime = new OnnxRuntime({ threads });
const decoder = createDecoder(config, parameters, { runtime, ownsRuntime: true });
const loadMs = performance.now() - started;
const unconditional = caption(1, 2);
const generate = (passes?: number) => (timed: TimeStage) =>
  timed('256 tokens', () =>
    decoder.generate(caption(images, 1), { ...(passes && { passes }), guidanceScale: 10, unconditional, seed: 1 }),
  );
const hasPasses = config.kind === 'masked' || config.kind === 'amused';
const result = await measureRounds({
  engine: `this project, ${options.model}`,
  loadMs,
  rounds,
  generate: generate(hasPasses ? passes : undefined),
  // A pass is enough to compile it.
  first: generate(hasPasses ? 1 : undefined),
});
await decoder.dispose();
console.log(JSON.stringify(result));

/** Writes random weights once. They stay in their file, because a compiled model holds at most 2 GB in memory. */
async function writeWeights(folder: string): Promise<string> {
  const file = join(folder, 'model.safetensors');
  if (await exists(file)) return file;
  const weights: Checkpoint = new Map();
  for (const [name, { data, shape }] of initializeParameters(decoderParameters(config), 1))
    weights.set(name, fromFloat32(data as Float32Array, shape));
  await makeFolder(folder);
  await writeCheckpointFile(file, weights, {});
  return file;
}

/** Captions of random hidden states. */
function caption(batch: number, seed: number): TextEncoding {
  const random = createRandom('caption', seed);
  const [length, width] = config.kind === 'amused' ? [config.textLength, config.textWidth] : [64, mini.textWidth];
  return {
    batch,
    length,
    width,
    hiddenStates: Float32Array.from({ length: batch * length * width }, () => random.normal()),
    attentionMask: new Int32Array(batch * length).fill(1),
    pooled: Float32Array.from({ length: batch * 768 }, () => random.normal()),
  };
}
