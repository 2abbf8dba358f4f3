import {
  integer,
  integerBelow,
  list,
  number,
  OptionError,
  object,
  optional,
  permutation,
  readOptions,
  seedField,
  uniform,
} from '@dalle-mini/core';
import { usableIndices } from './dataset.js';
import { lastAtMost, startsOf } from './extents.js';

export interface SamplerOptions {
  /** Chooses the order. */
  readonly seed: number;
  /** Indices that must not be chosen: `skipped` of a dataset. Another sample, chosen at random, takes their place. */
  readonly skipped?: ReadonlySet<number> | undefined;
}

/** Options of a sampler that reads shards one after the other. */
export interface ShardSamplerOptions {
  /** Chooses the order. */
  readonly seed: number;
  /** Number of samples in each shard: `shardLengths` of token shards. */
  readonly shards: readonly number[];
  /** Number of shards whose samples are shuffled together. A reader needs to keep them in memory. Default 8. */
  readonly shuffleShards?: number | undefined;
}

const shardFields = object<ShardSamplerOptions>({
  seed: seedField,
  shards: list(integer({ min: 1 }), { min: 1 }),
  shuffleShards: optional(integer({ min: 1 }), 8),
});

/**
 * Chooses the sample for each position of an endless, shuffled training run. It has no state: a run resumes exactly
 * from its next position, on any machine.
 */
export interface Sampler {
  /** Positions per epoch: the number of samples, or of groups. */
  readonly epochLength: number;
  /** Returns the index of the sample for a position, a whole number of at least 0. */
  at(position: number): number;
}

/**
 * Creates a sampler over `length` samples, or over `groups` of sample indices. Each epoch takes each sample once, or
 * one random member of each group, so that large groups do not weigh more.
 *
 * With `shards` it reads a set that does not fit into memory: each epoch takes the shards in another order, some at a time, and shuffles the
 * samples of these, as a shuffle buffer does. Unlike after a buffer, every position can be computed by itself.
 *
 * @throws OptionError if there is nothing to sample, a group is empty, or all samples are skipped.
 */
export function createSampler(
  options:
    | (SamplerOptions & ({ readonly length: number } | { readonly groups: readonly (readonly number[])[] }))
    | ShardSamplerOptions,
): Sampler {
  if ('shards' in options) return shardSampler(readOptions(shardFields, options, 'createSampler'));
  const { seed, skipped = new Set<number>() } = options;
  const groups = 'groups' in options ? options.groups : undefined;
  const epochLength = 'groups' in options ? options.groups.length : options.length;
  if (!Number.isInteger(epochLength) || epochLength < 1) {
    throw new OptionError(groups ? 'groups' : 'length', 'at least one sample or group', epochLength);
  }
  const empty = groups?.findIndex((members) => members.length === 0) ?? -1;
  if (empty !== -1) throw new OptionError(`groups[${empty}]`, 'a list of at least one sample', []);
  const usableGroups = groups?.map((members) => members.filter((index) => !skipped.has(index)));
  const replacements =
    skipped.size > 0 ? (usableGroups?.flat() ?? usableIndices({ length: epochLength, skipped })) : [];
  if (skipped.size > 0 && replacements.length === 0)
    throw new OptionError('skipped', 'a set that lacks at least one of the samples', skipped);

  let cached: { readonly epoch: number; readonly order: Uint32Array } | undefined;
  return {
    epochLength,
    at(position) {
      checkPosition(position);
      const epoch = Math.floor(position / epochLength);
      if (cached?.epoch !== epoch) cached = { epoch, order: permutation(epochLength, 'epoch', seed, epoch) };
      const chosen = cached.order[position % epochLength]!;
      const members = usableGroups?.[chosen] ?? (skipped.has(chosen) ? [] : [chosen]);
      return members.length === 0
        ? replacements[integerBelow(replacements.length, 'replacement', seed, position)]!
        : members[integerBelow(members.length, 'member', seed, epoch, chosen)]!;
    },
  };
}

function shardSampler({ seed, shards, shuffleShards = 1 }: ShardSamplerOptions): Sampler {
  const starts = startsOf(shards);
  const epochLength = starts.at(-1)! + shards.at(-1)!;
  let epochOrder:
    | { readonly epoch: number; readonly windows: readonly number[][]; readonly starts: number[] }
    | undefined;
  let window: { readonly epoch: number; readonly number: number; readonly indices: Uint32Array } | undefined;

  const orderOf = (epoch: number) => {
    const order = [...permutation(shards.length, 'shards', seed, epoch)];
    const windows = Array.from({ length: Math.ceil(order.length / shuffleShards) }, (_, i) =>
      order.slice(i * shuffleShards, (i + 1) * shuffleShards),
    );
    const lengths = windows.map((members) => members.reduce((sum, shard) => sum + shards[shard]!, 0));
    return { epoch, windows, starts: startsOf(lengths) };
  };
  const indicesOf = (epoch: number, number: number, members: readonly number[]) => {
    const all = members.flatMap((shard) => Array.from({ length: shards[shard]! }, (_, i) => starts[shard]! + i));
    const shuffled = permutation(all.length, 'window', seed, epoch, number).map((at) => all[at]!);
    return { epoch, number, indices: shuffled };
  };
  return {
    epochLength,
    at(position) {
      checkPosition(position);
      const epoch = Math.floor(position / epochLength);
      const offset = position % epochLength;
      if (epochOrder?.epoch !== epoch) epochOrder = orderOf(epoch);
      const number = lastAtMost(epochOrder.starts, offset);
      if (window?.epoch !== epoch || window.number !== number)
        window = indicesOf(epoch, number, epochOrder.windows[number]!);
      return window.indices[offset - epochOrder.starts[number]!]!;
    },
  };
}

function checkPosition(position: number): void {
  if (Number.isSafeInteger(position) && position >= 0) return;
  throw new OptionError('position', 'a whole number of at least 0', position);
}

/**
 * Lists the indices of the samples of each group, in order of first appearance. A sample without a group is a group.
 */
export function groupIndices(samples: readonly { readonly group?: string | undefined }[]): number[][] {
  const groups = new Map<string, number[]>();
  const all: number[][] = [];
  samples.forEach(({ group }, index) => {
    const known = group === undefined ? undefined : groups.get(group);
    if (known) {
      known.push(index);
      return;
    }
    const created = [index];
    all.push(created);
    if (group !== undefined) groups.set(group, created);
  });
  return all;
}

export interface CaptionChoice {
  readonly seed: number;
  /** Position of the sampler: each position chooses again. */
  readonly position: number;
  /** Probability of the empty caption, 0 to 1, for training with classifier-free guidance; 0 by default. */
  readonly dropout?: number | undefined;
}

const choiceFields = object<CaptionChoice>({
  seed: seedField,
  position: integer(),
  dropout: optional(number({ min: 0, max: 1 }), 0),
});

/**
 * Chooses one of a sample's captions uniformly, or `''` with the probability `dropout`. The same seed and position give
 * the same choice.
 */
export function chooseCaption(captions: readonly string[], choice: CaptionChoice): string {
  const { seed, position, dropout = 0 } = readOptions(choiceFields, choice, 'chooseCaption');
  if (captions.length === 0) throw new OptionError('captions', 'a list of at least one caption', captions);
  if (uniform('caption-dropout', seed, position) < dropout) return '';
  return captions[integerBelow(captions.length, 'caption', seed, position)]!;
}
