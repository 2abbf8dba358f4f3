import {
  boolean,
  field,
  hash,
  number,
  OptionError,
  object,
  optional,
  permutation,
  readOptions,
  seedField,
} from '@dalle-mini/core';
import { type Dataset, type SampleDescription, usableIndices } from './dataset.js';
import { subset } from './subset.js';

export interface HoldOutOptions {
  /** Share of the samples that are held out, above 0 and below 1, and at least one sample. Default 0.05. */
  readonly share?: number | undefined;
  /** Chooses the samples. A whole number from 0 to 2⁵³ − 1. Default 0. */
  readonly seed?: number | undefined;
  /** Whether samples with a common caption stay together, like those with a common image. Default true. */
  readonly byCaption?: boolean | undefined;
  /**
   * Keys of samples that a run has been trained on. What must stay together with one of them is not held out, unless
   * nothing else is left.
   */
  readonly trained?: ReadonlySet<string> | undefined;
}

const holdOutFields = object<HoldOutOptions>({
  share: optional(number({ above: 0, below: 1 })),
  seed: optional(seedField),
  byCaption: optional(boolean()),
  trained: optional(field<ReadonlySet<string>>('a Set of keys', (value) => value instanceof Set)),
});

/** A dataset in two parts without a common sample. */
export interface HeldOut<S> {
  readonly training: Dataset<S>;
  readonly evaluation: Dataset<S>;
}

/**
 * Splits a dataset into samples for training and held-out samples for evaluation. The choice is random, and the same
 * for the same samples and seed. Both parts keep the order of the samples. Skipped samples are in `training`, where they
 * stay skipped.
 *
 * If the dataset has `describe`, the choice depends on the keys and not on the order: when samples are added or removed,
 * nearly all others stay where they were. These samples stay together, so that evaluation measures images that training
 * has not seen:
 *
 * - samples of one key, of one group, or whose image files have the same bytes;
 * - with `byCaption`, samples with a common caption. A caption of more than 1 % of the samples, and of more than three,
 *   is a label, such as "a photo", and keeps nothing together. If captions connect more than half of the samples with
 *   each other, none of them does.
 *
 * @throws OptionError if the dataset has fewer than two samples, if all of them have to stay together, or if an option
 *   is out of its range.
 *
 * @example
 * ```ts
 * import { holdOut } from '@dalle-mini/data';
 *
 * const numbers = { length: 100, get: async (index: number) => index };
 * const { training, evaluation } = holdOut(numbers);
 * console.log(training.length, evaluation.length); // 95 5
 * ```
 */
export function holdOut<S>(dataset: Dataset<S>, options: HoldOutOptions = {}): HeldOut<S> {
  const { share = 0.05, seed = 0, byCaption = true, trained } = readOptions(holdOutFields, options, 'holdOut');
  const indices = usableIndices(dataset);
  if (indices.length < 2) throw new OptionError('dataset.length', 'at least 2', indices.length);
  const sets = dataset.describe
    ? setsByKey(dataset as Described, indices, seed, { byCaption, trained })
    : Array.from(permutation(indices.length, 'hold-out', seed), (position) => [indices[position]!]);
  const count = Math.max(1, Math.min(indices.length - 1, Math.floor(share * indices.length)));
  const heldOut = new Set(chosenOf(sets, count));
  const all = Array.from({ length: dataset.length }, (_, index) => index);
  return {
    training: subset(
      dataset,
      all.filter((index) => !heldOut.has(index)),
    ),
    evaluation: subset(
      dataset,
      all.filter((index) => heldOut.has(index)),
    ),
  };
}

/** Returns the members of sets, in order, as long as there are at most `count`; at least those of the smallest set. */
function chosenOf(sets: readonly (readonly number[])[], count: number): readonly number[] {
  const chosen: number[] = [];
  for (const members of sets) {
    if (chosen.length + members.length <= count) chosen.push(...members);
  }
  if (chosen.length > 0) return chosen;
  return sets.reduce((smallest, members) => (members.length < smallest.length ? members : smallest));
}

type Described = Required<Pick<Dataset<unknown>, 'describe'>>;

/** Lists the sets of samples that may be held out, each as a whole, in the order of the seed and the keys. */
function setsByKey(
  dataset: Described,
  indices: readonly number[],
  seed: number,
  { byCaption, trained }: Pick<HoldOutOptions, 'byCaption' | 'trained'>,
): number[][] {
  const samples = indices.map((index) => dataset.describe(index));
  const sets = samplesTogether(samples, byCaption ?? true);
  if (sets.length < 2) {
    throw new OptionError(
      'dataset',
      'samples of at least two images and groups',
      dataset,
      `All ${indices.length} samples have the same image or group, so that none can be held out. Evaluate on another dataset.`,
    );
  }
  const ordered = sets
    .map((positions) => {
      const keys = positions.map((position) => samples[position]!.key).sort();
      const first = keys[0]!;
      return { keys, first, rank: hash('hold-out', seed, first), members: positions.map((at) => indices[at]!) };
    })
    .sort((a, b) => a.rank - b.rank || (a.first < b.first ? -1 : 1));
  const unseen = ordered.filter(({ keys }) => !keys.some((key) => trained?.has(key)));
  return (unseen.length > 0 ? unseen : ordered).map(({ members }) => members);
}

/** Lists the sets of positions of samples that must be on one side. */
function samplesTogether(samples: readonly SampleDescription[], byCaption: boolean): number[][] {
  const marks = ({ key, image, group }: SampleDescription) => [
    `key ${key}`,
    `image ${image}`,
    ...(group === undefined ? [] : [`group ${group}`]),
  ];
  if (byCaption) {
    const isRare = rareCaptions(samples);
    const sets = connected(samples, (sample) => [
      ...marks(sample),
      ...sample.captions.filter(isRare).map((caption) => `caption ${caption}`),
    ]);
    if (sets.every(({ length }) => length <= samples.length / 2)) return sets;
  }
  return connected(samples, marks);
}

/** Returns a function that tells whether a caption belongs to so few samples that it keeps them together. */
function rareCaptions(samples: readonly SampleDescription[]): (caption: string) => boolean {
  const counts = new Map<string, number>();
  for (const { captions } of samples) {
    for (const caption of new Set(captions)) counts.set(caption, (counts.get(caption) ?? 0) + 1);
  }
  const limit = Math.max(3, samples.length / 100);
  return (caption) => counts.get(caption)! <= limit;
}

/** Divides positions of a list into sets that have no mark in common: the components of a graph, by union-find. */
function connected<Item>(items: readonly Item[], marksOf: (item: Item) => readonly string[]): number[][] {
  const parents = Array.from(items, (_, position) => position);
  const rootOf = (position: number): number => {
    let root = position;
    while (parents[root] !== root) root = parents[root]!;
    // Later searches from here are short.
    for (let next = position; next !== root; ) {
      const parent = parents[next]!;
      parents[next] = root;
      next = parent;
    }
    return root;
  };
  const firstWith = new Map<string, number>();
  items.forEach((item, position) => {
    for (const mark of marksOf(item)) {
      const first = firstWith.get(mark);
      if (first === undefined) firstWith.set(mark, position);
      else parents[rootOf(position)] = rootOf(first);
    }
  });
  const sets = new Map<number, number[]>();
  for (const position of items.keys()) {
    const root = rootOf(position);
    const set = sets.get(root);
    if (set) set.push(position);
    else sets.set(root, [position]);
  }
  return [...sets.values()];
}
