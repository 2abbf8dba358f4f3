/** One run of the study with a seed. */
import { join } from 'node:path';
import { readJsonFile, writeJsonFile } from '@dalle-mini/core/node';
import { createSampler, type TokenShards } from '@dalle-mini/data';
import { type AnyDecoderConfig, createDecoder } from '@dalle-mini/decoder';
import { evaluateConcepts } from '@dalle-mini/example-emoji-model/evaluation';
import type { Runtime } from '@dalle-mini/graph';
import { readMetrics, trainDecoder } from '@dalle-mini/train';
import type { StudyData } from './data.js';
import type { TextEncoders } from './encoders.js';
import {
  model as commonModel,
  sampling as commonSampling,
  training as commonTraining,
  curvePoints,
  generated,
  maxCaptionLength,
  type Run,
  steps,
} from './grid.js';

/** What was measured of generated images. */
export interface GenerationResult {
  /** How often the real image that is nearest to a generated one shows the concept of the caption, and one of the five nearest. */
  readonly top1: number;
  readonly top5: number;
  /** Seconds of processor time an image. */
  readonly seconds: number;
}

/** The measures of one run. */
export interface CellResult {
  /** Mean cross entropy of held-out tokens after the last step, in nats. */
  readonly loss: number;
  readonly steps: number;
  /** Seconds of processor time a step, without compilation and evaluation. */
  readonly secondsPerStep: number;
  /** Held-out losses by step. */
  readonly curve: readonly { readonly step: number; readonly loss: number }[];
  readonly generations: Readonly<Record<string, GenerationResult>>;
}

/** Reads the result of a run, if there is one. */
export async function readResult(path: string): Promise<CellResult | undefined> {
  return (await readJsonFile(path).catch(() => undefined)) as CellResult | undefined;
}

export interface CellOptions {
  readonly seed: number;
  /** Gets the checkpoints. */
  readonly folder: string;
  /** Path of the result. */
  readonly result: string;
  readonly data: StudyData;
  readonly encoders: TextEncoders;
  readonly runtime: Runtime;
}

/** Trains and evaluates a run with a seed. */
export async function runCell(
  { text = {}, model, training, vqgan = 'bundled', generations = { default: {} }, curve = false }: Run,
  { seed, folder, result: path, data, encoders, runtime }: CellOptions,
): Promise<CellResult> {
  const tokens = await data.tokens(vqgan);
  const { vocabularySize, gridSize } = tokens.training;
  const isTrained = text.training === 'trained' || text.training === 'new';
  const trained = isTrained ? await encoders.openTrained(text, seed) : undefined;
  const words = text.training === 'tokens' ? await encoders.openTokens() : undefined;
  const textEncoder = trained ?? {
    kind: 'frozen' as const,
    encoder: words?.encoder ?? (await encoders.openFrozen(text)),
  };
  const textWidth = textEncoder.kind === 'trained' ? textEncoder.config.width : textEncoder.encoder.width;
  const input = words
    ? { textVocabularySize: words.vocabularySize, textLength: maxCaptionLength }
    : // LlamaGen reads captions of one length, and biases of relative positions are of each pair, also of a token and a word.
      { textWidth, ...(needsLength(model) ? { textLength: maxCaptionLength } : {}) };
  const config = { ...commonModel, ...model, vocabularySize, gridSize, ...input } as AnyDecoderConfig;
  const settings = { ...commonTraining, ...training, model: config };
  const evaluateEvery = curve ? steps / curvePoints : steps;
  const times = new StepTimes(tokens.training, commonTraining.batchSize, evaluateEvery);
  const parameters = await trainDecoder({
    folder,
    runtime,
    config: { ...settings, stepsPerRun, ...(text.training === 'none' ? { captionDropout: 1 } : {}) },
    steps,
    seed,
    checkpointEvery: steps,
    evaluateEvery,
    dataset: times.dataset,
    order: createSampler({ groups: await tokens.training.groups(), seed }),
    textEncoder,
    evaluation: tokens.heldOut,
    result: 'last',
  });

  const decoder = createDecoder(config, parameters, { runtime });
  const encoder = trained
    ? encoders.openAfterTraining(trained, parameters)
    : (textEncoder as Exclude<typeof textEncoder, { kind: 'trained' }>).encoder;
  const results: Record<string, GenerationResult> = {};
  for (const [name, generation] of Object.entries(generations)) {
    const tokenizer = await data.tokenizer(generation.vqgan ?? vqgan);
    const start = processorSeconds();
    const { top1, top5, captions } = await evaluateConcepts({ tokenizer, encoder, decoder }, data.emoji, {
      count: generated,
      seed,
      sampling: { ...commonSampling, ...generation.sampling },
      gallery: data.gallery,
    });
    results[name] = { top1, top5, seconds: (processorSeconds() - start) / captions };
  }
  await Promise.all([decoder.dispose(), ...(trained ? [encoder.dispose()] : [])]);
  const measured = (await readMetrics(join(folder, 'metrics.jsonl'))).flatMap(({ step, evaluationLoss }) =>
    evaluationLoss === undefined ? [] : [{ step, loss: evaluationLoss }],
  );
  const result: CellResult = {
    loss: measured.at(-1)!.loss,
    steps,
    secondsPerStep: times.secondsPerStep(),
    curve: measured,
    generations: results,
  };
  await writeJsonFile(path, result);
  return result;
}

const needsLength = (model: Run['model'] = {}) =>
  model.kind === 'llama-gen' || ('relativePositions' in model && model.relativePositions === true);

/** Processor time that this program has taken: other programs of the computer do not change it much. */
function processorSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Steps that one run of the training graph makes. */
const stepsPerRun = 10;

/** Measures the processor time of training steps, by when their images are read. */
class StepTimes {
  readonly dataset: TokenShards;
  private readonly marks: number[] = [];
  private reads = 0;

  constructor(
    dataset: TokenShards,
    batchSize: number,
    private readonly evaluateEvery: number,
  ) {
    this.dataset = Object.create(dataset, {
      get: {
        value: (index: number) => {
          if (this.reads++ % (stepsPerRun * batchSize) === 0) this.marks.push(processorSeconds());
          return dataset.get(index);
        },
      },
    });
  }

  /** The mean of all steps, except those next to an evaluation or the start. */
  secondsPerStep(): number {
    const atEvaluation = (run: number) => (run * stepsPerRun) % this.evaluateEvery === 0;
    const taken = this.marks
      .slice(1)
      .flatMap((mark, run) => (atEvaluation(run) || atEvaluation(run + 1) ? [] : [mark - this.marks[run]!]));
    return taken.reduce((sum, seconds) => sum + seconds, 0) / taken.length / stepsPerRun;
  }
}
