/** One run of the study: a variant with a seed. */
import { join } from 'node:path';
import type { TextEncoder } from '@dalle-mini/core';
import { readJsonFile, writeJsonFile } from '@dalle-mini/core/node';
import { createSampler } from '@dalle-mini/data';
import { DalleMiniDecoder } from '@dalle-mini/decoder';
import { evaluateConcepts } from '@dalle-mini/example-emoji-model/evaluation';
import { parametersOf, type Runtime } from '@dalle-mini/graph';
import { initializeParameters } from '@dalle-mini/graph/initializers';
import { bertGraph, type HuggingFaceFiles, loadTextEncoder } from '@dalle-mini/text-encoder';
import {
  type FrozenTextEncoder,
  readMetrics,
  readRunLog,
  type TrainedTextEncoder,
  textEncoderWeights,
  trainDecoder,
  trainedTextEncoder,
} from '@dalle-mini/train';
import type { StudyData } from './data.js';
import { generated, maxCaptionLength, model, steps, type TextVariant, training, type Variant } from './grid.js';

/** The measures of one run. */
export interface CellResult {
  /** Mean cross entropy of held-out tokens after the last step, in nats. */
  readonly loss: number;
  /** How often the real image that is nearest to a generated one shows the concept of the caption, and one of the five nearest. */
  readonly top1: number;
  readonly top5: number;
  /** Seconds of training, on whatever else the computer did. */
  readonly seconds: number;
  readonly steps: number;
}

export const resultFile = 'result.json';

/** Reads the result of a run, if there is one. */
export async function readResult(folder: string): Promise<CellResult | undefined> {
  return (await readJsonFile(join(folder, resultFile)).catch(() => undefined)) as CellResult | undefined;
}

/** Trains and evaluates a variant with a seed. A run that was stopped resumes from its last checkpoint. */
export async function runCell(
  { text, model: changes, training: settings, guidanceScale = 2 }: Variant,
  { seed, folder, data, runtime }: { seed: number; folder: string; data: StudyData; runtime: Runtime },
): Promise<CellResult> {
  const { config: vqgan } = data.model.imageTokenizer;
  const files = firstLayers(data.model.textEncoder as { files: HuggingFaceFiles }, text);
  const textEncoder = await textEncoderOf(files, text, seed, runtime);
  const width = Number((files.config as { hidden_size: number }).hidden_size);
  const sizes = { vocabularySize: vqgan.nEmbed, gridSize: data.tokenizer.gridSize, textWidth: width };
  // Biases of relative positions are of each pair, also of a token and a word.
  const pairs = changes?.relativePositions ? { textLength: maxCaptionLength } : {};
  const config = { ...training, ...settings, model: { ...model, ...changes, ...sizes, ...pairs } };
  const parameters = await trainDecoder({
    folder,
    runtime,
    config: text?.encoder === 'none' ? { ...config, captionDropout: 1 } : config,
    steps,
    seed,
    checkpointEvery: steps / 2,
    evaluateEvery: steps / 2,
    dataset: data.training,
    order: createSampler({ groups: await data.training.groups(), seed }),
    textEncoder,
    evaluation: data.heldOut,
    result: 'last',
  });
  const decoder = new DalleMiniDecoder(config.model, parameters, { runtime });
  const encoder = await trainedEncoder(files, textEncoder, parameters, runtime);
  const figures = await evaluateConcepts({ tokenizer: data.tokenizer, encoder, decoder }, data.emoji, {
    count: generated,
    seed,
    sampling: { temperature: 0.4, topK: 64, guidanceScale: text?.encoder === 'none' ? 1 : guidanceScale },
  });
  await Promise.all([decoder.dispose(), encoder.dispose()]);
  const metrics = await readMetrics(join(folder, 'metrics.jsonl'));
  const log = await readRunLog(folder);
  const result: CellResult = {
    loss: metrics.at(-1)!.evaluationLoss!,
    top1: figures.top1,
    top5: figures.top5,
    seconds: log.reduce((sum, record) => sum + (record.event === 'steps' ? record.seconds : 0), 0),
    steps,
  };
  await writeJsonFile(join(folder, resultFile), result);
  return result;
}

/** Returns the files of a BERT with its first layers only. */
function firstLayers({ files }: { files: HuggingFaceFiles }, { layers }: TextVariant = {}): HuggingFaceFiles {
  if (layers === undefined) return files;
  const isKept = (name: string) => Number(/(?:^|\.)layer\.(\d+)\./.exec(name)?.[1] ?? 0) < layers;
  return {
    ...files,
    config: { ...files.config, num_hidden_layers: layers },
    weights: new Map([...files.weights].filter(([name]) => isKept(name))),
  };
}

async function textEncoderOf(
  files: HuggingFaceFiles,
  { encoder = 'frozen' }: TextVariant = {},
  seed: number,
  runtime: Runtime,
): Promise<FrozenTextEncoder | TrainedTextEncoder> {
  if (encoder === 'frozen' || encoder === 'none') return { kind: 'frozen', encoder: await openEncoder(files, runtime) };
  const trained = await trainedTextEncoder(files, maxCaptionLength);
  if (encoder === 'trained') return trained;
  const declared = parametersOf(Object.values(bertGraph(trained.config as never, 1, maxCaptionLength).outputs));
  return { ...trained, parameters: initializeParameters(declared, seed) };
}

const openEncoder = (files: HuggingFaceFiles, runtime: Runtime) =>
  loadTextEncoder(files, { runtime, maxLength: maxCaptionLength, batchSize: 16, emojiNames: true });

/** Opens the text encoder that generates: the one that was trained along, if it was. */
async function trainedEncoder(
  files: HuggingFaceFiles,
  textEncoder: FrozenTextEncoder | TrainedTextEncoder,
  parameters: Awaited<ReturnType<typeof trainDecoder>>,
  runtime: Runtime,
): Promise<TextEncoder> {
  if (textEncoder.kind === 'frozen') return textEncoder.encoder;
  return openEncoder({ ...files, weights: textEncoderWeights(parameters) }, runtime);
}
