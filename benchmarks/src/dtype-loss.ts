/**
 * Measures the loss of a quantized model: compares the bundled model in each dtype with the model in float32. All decoders read the tokens
 * that the float32 model generated for the prompts of the model card's contact sheet. See README.md.
 */

import { mkdtemp, rm, stat } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { RgbImage, TextEncoding } from '@dalle-mini/core';
import { checkDecoderConfig, type DecoderConfig, guide, teacherForced } from '@dalle-mini/decoder';
import { samplePrompts } from '@dalle-mini/example-emoji-model/recipe';
import { type Graph, input, logSoftmax, ParameterScope, scalar, sliceAxis } from '@dalle-mini/graph';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import type { StoredParameter } from '@dalle-mini/graph/stored';
import { peakSignalToNoise } from '@dalle-mini/perceptual';
import {
  type Dtype,
  fromPretrained,
  type ModelParts,
  openDecoderPart,
  readModelFolder,
  type TextToImage,
  writeModelFolder,
} from '@dalle-mini/pipeline';
import type { Divergence, DtypeLoss, DtypeLosses } from './measurement.js';
import { writeReport } from './processes.js';

const { values: options } = parseArgs({
  options: {
    threads: { type: 'string', default: String(availableParallelism()) },
    out: { type: 'string' },
    help: { type: 'boolean' },
  },
});
if (options.help) {
  console.log(`Usage: npm run -w benchmarks dtype-loss -- [options]

  --threads N             Default the number of processor cores
  --out FILE              writes the table as JSON`);
  process.exit();
}

/** An open model in a dtype. */
interface Model {
  readonly dtype: Dtype;
  readonly megabytes: number;
  readonly parts: TextToImage;
  readonly config: DecoderConfig;
  readonly parameters: ReadonlyMap<string, StoredParameter>;
}

/** The outputs of a model for the prompts and the given tokens. */
interface Reading {
  readonly text: TextEncoding;
  /** Log-probabilities of the next token at each position, `[prompts · gridSize², vocabulary]`. */
  readonly plain: Float32Array;
  /** The same with the model's default guidance. */
  readonly guided: Float32Array;
  readonly pictures: readonly RgbImage[];
}

const work = await mkdtemp(join(tmpdir(), 'dtype-loss-'));
const runtime = new OnnxRuntime({ threads: Number(options.threads) });
try {
  const bundled = await readModelFolder(
    fileURLToPath(new URL('.', import.meta.resolve('@dalle-mini/emoji/model/model.json'))),
  );
  const exactModel = await open(bundled, 'fp32');
  const grids = await draw(exactModel);
  const exact = await read(exactModel, grids);
  const { vocabularySize } = exactModel.config;
  const losses: DtypeLoss[] = [];
  for (const dtype of ['fp16', 'q8', 'q4'] as const) {
    const model = await open(bundled, dtype);
    const found = await read(model, grids);
    losses.push({
      dtype,
      decoder_mb: model.megabytes,
      plain: divergence(exact.plain, found.plain, vocabularySize),
      guided: divergence(exact.guided, found.guided, vocabularySize),
      text_cosine: leastCosine(exact.text, found.text),
      psnr: meanPsnr(exact.pictures, found.pictures),
    });
  }
  const table: DtypeLosses = {
    prompts: samplePrompts.length,
    positions: samplePrompts.length * exactModel.config.gridSize ** 2,
    decoder_mb: exactModel.megabytes,
    losses,
  };
  printTable(table);
  if (options.out !== undefined) writeReport(options.out, table);
} finally {
  await runtime.dispose();
  await rm(work, { recursive: true });
}

async function open(bundled: ModelParts, dtype: Dtype): Promise<Model> {
  const folder = join(work, dtype);
  await writeModelFolder(folder, bundled, { dtype });
  const decoderFolder = join(folder, 'decoder');
  const { size } = await stat(join(decoderFolder, 'model.safetensors'));
  const { config, parameters } = await openDecoderPart(decoderFolder);
  return {
    dtype,
    megabytes: size / 1e6,
    parts: await fromPretrained(folder, { runtime }),
    config: checkDecoderConfig(config),
    parameters,
  };
}

/** Generates one image for each prompt, with the model's defaults. */
async function draw({ parts: { textEncoder, decoder, sampling } }: Model): Promise<Int32Array[]> {
  const [text, unconditional] = await Promise.all([textEncoder.encode(samplePrompts), textEncoder.encode([''])]);
  return decoder.generate(text, { ...sampling, unconditional, seed: 1 });
}

async function read({ parts, config, parameters }: Model, grids: readonly Int32Array[]): Promise<Reading> {
  const text = await parts.textEncoder.encode(samplePrompts.flatMap((prompt) => [prompt, '']));
  const { length, width, hiddenStates, attentionMask } = text;
  const graph = readingGraph(config, length, parts.sampling.guidanceScale ?? 1);
  const executable = await runtime.compile(graph, { parameters });
  const size = config.gridSize ** 2 * config.vocabularySize;
  const [plain, guided] = [new Float32Array(grids.length * size), new Float32Array(grids.length * size)];
  for (const [i, grid] of grids.entries()) {
    // Of the batch, the picture's caption and the empty one after it.
    const [start, end] = [2 * i * length, 2 * (i + 1) * length];
    const read = await executable.run({
      tokens: { dtype: 'int32', shape: [2, grid.length], data: Int32Array.from([...grid, ...grid]) },
      hiddenStates: {
        dtype: 'float32',
        shape: [2, length, width],
        data: hiddenStates.subarray(start * width, end * width),
      },
      attentionMask: { dtype: 'int32', shape: [2, length], data: attentionMask.subarray(start, end) },
    });
    plain.set(read.plain!.data, i * size);
    guided.set(read.guided!.data, i * size);
  }
  await executable.dispose();
  const pictures = await parts.imageTokenizer.decode(grids);
  return { text, plain, guided, pictures };
}

/**
 * Computes the logits of an image's tokens for its caption and for the empty caption. If a dtype rounds operands with a single scale, all
 * tokens of the image share it here, but generation uses one per token. So the loss measured here is higher.
 */
function readingGraph(config: DecoderConfig, length: number, guidanceScale: number): Graph {
  const { gridSize, textWidth, vocabularySize } = config;
  const tokens = input('tokens', [2, gridSize ** 2], 'int32');
  const hiddenStates = input('hiddenStates', [2, length, textWidth]);
  const attentionMask = input('attentionMask', [2, length], 'int32');
  const all = teacherForced(new ParameterScope(), config, tokens, { hiddenStates, attentionMask });
  const logits = sliceAxis(all, 2, 0, vocabularySize);
  const conditional = sliceAxis(logits, 0, 0, 1);
  const guided = guide(conditional, sliceAxis(logits, 0, 1, 2), scalar(guidanceScale));
  return {
    inputs: { tokens, hiddenStates, attentionMask },
    outputs: { plain: logSoftmax(conditional), guided: logSoftmax(guided) },
  };
}

/** Compares log-probabilities `[positions, vocabulary]` with the exact ones. */
function divergence(exact: Float32Array, found: Float32Array, vocabulary: number): Divergence {
  const positions = exact.length / vocabulary;
  let nats = 0;
  let agreeing = 0;
  for (let start = 0; start < exact.length; start += vocabulary) {
    let [best, foundBest] = [start, start];
    for (let i = start; i < start + vocabulary; i++) {
      nats += Math.exp(exact[i]!) * (exact[i]! - found[i]!);
      if (exact[i]! > exact[best]!) best = i;
      if (found[i]! > found[foundBest]!) foundBest = i;
    }
    if (best === foundBest) agreeing++;
  }
  return { kl_nats: nats / positions, agreement: agreeing / positions };
}

/** Returns the smallest cosine between a hidden state and the exact one, over all tokens of the captions. */
function leastCosine(exact: TextEncoding, found: TextEncoding): number {
  const { width, attentionMask } = exact;
  let least = 1;
  for (const [token, isText] of attentionMask.entries()) {
    if (!isText) continue;
    let [product, exactSquares, foundSquares] = [0, 0, 0];
    for (let i = token * width; i < (token + 1) * width; i++) {
      product += exact.hiddenStates[i]! * found.hiddenStates[i]!;
      exactSquares += exact.hiddenStates[i]! ** 2;
      foundSquares += found.hiddenStates[i]! ** 2;
    }
    least = Math.min(least, product / Math.sqrt(exactSquares * foundSquares));
  }
  return least;
}

/** Returns the mean PSNR over images, in decibels. If all are equal it is `null`, because JSON has no infinity. */
function meanPsnr(exact: readonly RgbImage[], found: readonly RgbImage[]): number | null {
  const mean = exact.reduce((sum, picture, i) => sum + peakSignalToNoise(picture, found[i]!), 0) / exact.length;
  return Number.isFinite(mean) ? mean : null;
}

function printTable({ prompts, positions, decoder_mb, losses }: DtypeLosses): void {
  console.log(`${prompts} prompts, ${positions} tokens; the decoder has ${decoder_mb.toFixed(1)} MB in fp32\n`);
  console.log(
    '| dtype | decoder, MB | KL a token, nats | same greedy token | KL, guided | same, guided | text, least cosine | pixels, PSNR |',
  );
  console.log('| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |');
  const cells = ({ kl_nats, agreement }: Divergence) => [kl_nats.toExponential(1), `${(100 * agreement).toFixed(1)} %`];
  for (const { dtype, decoder_mb, plain, guided, text_cosine, psnr } of losses) {
    const pixels = psnr === null ? 'equal' : `${psnr.toFixed(1)} dB`;
    const row = [dtype, decoder_mb.toFixed(1), ...cells(plain), ...cells(guided), text_cosine.toFixed(6), pixels];
    console.log(`| ${row.join(' | ')} |`);
  }
}
