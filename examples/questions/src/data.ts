/** The images, tokens and captions of all runs. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createSampler, openTokenShards, type TokenShards, writeTokenShards } from '@dalle-mini/data';
import { type EmojiDataset, type EmojiEntry, prepareEmoji } from '@dalle-mini/data/emoji';
import { galleryOf } from '@dalle-mini/example-emoji-model/evaluation';
import { readFirstEdition } from '@dalle-mini/example-emoji-model/first-edition';
import type { Runtime } from '@dalle-mini/graph';
import { type ModelParts, readModelFolder } from '@dalle-mini/pipeline';
import { trainVqgan, type VqganTrainingConfig } from '@dalle-mini/train';
import { VqganTokenizer } from '@dalle-mini/vqgan';
import { concepts, imageSize, type VqganName, vqganSteps } from './grid.js';

/** Images as the tokens of a VQ-GAN. */
export interface Tokens {
  readonly training: TokenShards;
  readonly heldOut: TokenShards;
}

export interface StudyData {
  readonly model: ModelParts;
  readonly emoji: EmojiDataset;
  /** The features of all real images. */
  readonly gallery: readonly Float32Array[];
  /** All captions of training and evaluation, each once. */
  readonly captions: readonly string[];
  /** Opens a VQ-GAN, which is fine-tuned first if it is not yet. */
  readonly tokenizer: (name: VqganName) => Promise<VqganTokenizer>;
  readonly tokens: (name: 'bundled' | 'both') => Promise<Tokens>;
}

/** Settings of fine-tuning. */
const vqganTraining: Omit<VqganTrainingConfig, 'model'> = {
  batchSize: 8,
  learningRate: 2e-4,
  warmUpSteps: 10,
  squaredErrorWeight: 0,
  absoluteErrorWeight: 1,
  restartEvery: 0,
  averageDecay: 0.98,
  flip: true,
};
/** The half that writes tokens, and the codes. */
const encodingHalf = [{ match: ['encoder.*', 'quant_conv.*', 'quantize.*'], factor: 0 }];

/** Renders the emoji, and encodes them when they are asked for. What is there already stays. */
export async function openData(folder: string, runtime: Runtime): Promise<StudyData> {
  const bundled = fileURLToPath(new URL('.', import.meta.resolve('@dalle-mini/emoji/model/model.json')));
  const model = await readModelFolder(bundled);
  // The questions were asked of the first edition.
  const { config, parameters } = (await readFirstEdition()).imageTokenizer;
  const all = await prepareEmoji(join(folder, 'pictures'), { imageSize, concepts });
  const emoji = all.subset(({ split }) => split !== 'unseen-concepts');
  const isHeldOut = heldOutOf(emoji.entries);
  const splits = {
    train: emoji.subset((entry) => !isHeldOut(entry)),
    'held-out': emoji.subset(isHeldOut),
  };

  const fineTuned = async (name: 'decoding' | 'both') => {
    const dataset = splits.train;
    return trainVqgan({
      folder: join(folder, 'vqgan', name),
      runtime,
      config: { ...vqganTraining, model: config, ...(name === 'decoding' ? { learningRates: encodingHalf } : {}) },
      parameters,
      steps: vqganSteps,
      seed: 1,
      checkpointEvery: vqganSteps,
      evaluateEvery: vqganSteps,
      evaluationSize: 8,
      result: 'last',
      dataset,
      order: createSampler({ length: dataset.length, seed: 1 }),
      evaluation: splits['held-out'],
    });
  };
  const tokenizer = once(async (name: VqganName) => {
    return new VqganTokenizer(config, name === 'bundled' ? parameters : await fineTuned(name), { runtime });
  });
  const tokens = once(async (name: 'bundled' | 'both'): Promise<Tokens> => {
    const encode = async (split: keyof typeof splits) => {
      const path = join(folder, 'tokens', name, split);
      await writeTokenShards(splits[split], await tokenizer(name), path);
      return openTokenShards(path);
    };
    return { training: await encode('train'), heldOut: await encode('held-out') };
  });
  const captions = [...new Set(['', ...emoji.entries.flatMap((entry) => entry.captions)])];
  return { model, emoji, gallery: await galleryOf(emoji), captions, tokenizer, tokens };
}

/** Fluent's two sets are one design, shaded and flat. */
const designOf = ({ vendor }: EmojiEntry) => vendor.replace('fluent-emoji-flat', 'fluent-emoji');

/** Holds out one design of each concept, each time another. */
function heldOutOf(entries: readonly EmojiEntry[]): (entry: EmojiEntry) => boolean {
  const designs = new Map<string, Set<string>>();
  for (const entry of entries)
    designs.set(entry.concept, (designs.get(entry.concept) ?? new Set()).add(designOf(entry)));
  const heldOut = new Map(
    [...designs].map(([concept, found], index) => [concept, [...found][index % found.size]!] as const),
  );
  return (entry) => heldOut.get(entry.concept) === designOf(entry);
}

/** Keeps the result of a function for each argument. */
function once<Name extends string, Result>(make: (name: Name) => Promise<Result>): (name: Name) => Promise<Result> {
  const made = new Map<Name, Promise<Result>>();
  return (name) => {
    const result = made.get(name) ?? make(name);
    made.set(name, result);
    return result;
  };
}
