import { OptionError } from '@dalle-mini/core';
import { describe, expect, test } from 'vitest';
import { chooseCaption, createSampler, groupIndices } from '../src/sampler.js';

const range = (length: number, start = 0) => Array.from({ length }, (_, index) => start + index);

describe('createSampler', () => {
  test('takes every sample once per epoch', () => {
    const sampler = createSampler({ length: 100, seed: 1 });
    const first = range(100).map((position) => sampler.at(position));
    expect([...first].sort((a, b) => a - b)).toEqual(range(100));
  });

  test('takes them in another order in the next epoch, and for another seed', () => {
    const sampler = createSampler({ length: 100, seed: 1 });
    const first = range(100).map((position) => sampler.at(position));
    expect(range(100, 100).map((position) => sampler.at(position))).not.toEqual(first);
    const other = createSampler({ length: 100, seed: 2 });
    expect(range(100).map((position) => other.at(position))).not.toEqual(first);
  });

  test('resumes exactly at any position, in any order of calls', () => {
    const uninterrupted = createSampler({ length: 37, seed: 5 });
    const whole = range(150).map((position) => uninterrupted.at(position));
    const resumed = createSampler({ length: 37, seed: 5 });
    expect(range(50, 100).map((position) => resumed.at(position))).toEqual(whole.slice(100));
    expect(resumed.at(3)).toBe(whole[3]);
  });

  test('keeps the order of earlier versions, so that runs can be resumed', () => {
    const sampler = createSampler({ length: 8, seed: 42 });
    expect(range(16).map((position) => sampler.at(position))).toEqual([6, 7, 1, 0, 5, 3, 4, 2, 2, 1, 0, 3, 4, 7, 5, 6]);
    const grouped = createSampler({ groups: [[0, 1, 2], [3], [4, 5]], seed: 42 });
    expect(range(9).map((position) => grouped.at(position))).toEqual([1, 4, 3, 2, 3, 5, 0, 3, 5]);
  });

  test('takes a random member of each group once per epoch', () => {
    const groups = [[0, 1, 2, 3, 4, 5], [6], [7, 8]];
    const sampler = createSampler({ groups, seed: 3 });
    expect(sampler.epochLength).toBe(3);
    const seen = new Set<number>();
    for (let epoch = 0; epoch < 100; epoch++) {
      const taken = range(3, epoch * 3).map((position) => sampler.at(position));
      expect(taken.map((index) => groups.findIndex((members) => members.includes(index))).sort()).toEqual([0, 1, 2]);
      for (const index of taken) seen.add(index);
    }
    expect(seen.size).toBe(9);
  });

  test('puts other samples in the place of skipped ones, and leaves all others where they are', () => {
    const groups = [[0, 1], [2], [3, 4], [5]];
    const skipped = new Set([1, 2]);
    for (const samples of [{ length: 6 }, { groups }]) {
      const whole = createSampler({ ...samples, seed: 1 });
      const some = createSampler({ ...samples, seed: 1, skipped });
      const pairs = range(120).map((position) => [whole.at(position), some.at(position)] as const);
      expect(pairs.filter(([, index]) => skipped.has(index))).toEqual([]);
      const replaced = pairs.filter(([index, other]) => index !== other);
      // Of a group, the usable members remain, and one that is chosen may become another.
      expect(replaced.filter(([index]) => !skipped.has(index) && index !== 0)).toEqual([]);
      expect(new Set(replaced.map(([, index]) => index)).size).toBeGreaterThan(2);
    }
    expect(() => createSampler({ length: 2, seed: 1, skipped })).not.toThrow();
    expect(() => createSampler({ groups: [[1], [2]], seed: 1, skipped })).toThrow(OptionError);
  });

  test('refuses a length of 0, empty groups and impossible positions', () => {
    expect(() => createSampler({ length: 0, seed: 0 })).toThrow('length must be at least one sample or group, not 0.');
    expect(() => createSampler({ groups: [[1], []], seed: 0 })).toThrow(
      'groups[1] must be a list of at least one sample, not [].',
    );
    expect(() => createSampler({ length: 3, seed: 0 }).at(-1)).toThrow('position must be a whole number of at least 0');
    expect(() => createSampler({ length: 3, seed: 0 }).at(0.5)).toThrow(
      'position must be a whole number of at least 0',
    );
  });
});

describe('createSampler over shards', () => {
  const shards = [5, 3, 8, 1, 6];
  const create = (seed = 1, shuffleShards = 2) => createSampler({ shards, seed, shuffleShards });
  const starts = [0, 5, 8, 16, 17];
  const shardOf = (index: number) => starts.findLastIndex((start) => start <= index);

  test('takes every sample once per epoch, in another order in the next one', () => {
    const sampler = create();
    expect(sampler.epochLength).toBe(23);
    const epochs = [0, 1].map((epoch) => range(23, epoch * 23).map((position) => sampler.at(position)));
    for (const epoch of epochs) expect([...epoch].sort((a, b) => a - b)).toEqual(range(23));
    expect(epochs[0]).not.toEqual(epochs[1]);
  });

  test('shuffles the samples of some shards at a time', () => {
    const sampler = create();
    const order = range(23).map((position) => shardOf(sampler.at(position)));
    const windows = [new Set<number>()];
    for (const shard of order) {
      if (!windows.at(-1)!.has(shard) && windows.at(-1)!.size === 2) windows.push(new Set());
      windows.at(-1)!.add(shard);
    }
    expect(windows.flatMap((window) => [...window]).sort()).toEqual([0, 1, 2, 3, 4]);
    const first = order.slice(
      0,
      [...windows[0]!].reduce((sum, shard) => sum + shards[shard]!, 0),
    );
    // The samples of the two are mixed.
    expect(first).not.toEqual([...first].sort((a, b) => first.indexOf(a) - first.indexOf(b)));
  });

  test('gives the same sample for a position in whatever order it is asked', () => {
    const order = range(60).map((position) => create().at(position));
    const sampler = create();
    expect(
      range(60)
        .reverse()
        .map((position) => sampler.at(position)),
    ).toEqual([...order].reverse());
    expect(range(60).map((position) => create(2).at(position))).not.toEqual(order);
  });

  test('refuses shards without samples', () => {
    expect(() => createSampler({ shards: [], seed: 1 })).toThrow(/shards must be a list of 1/);
    expect(() => createSampler({ shards: [3, 0], seed: 1 })).toThrow(
      /shards\[1\] must be a whole number of at least 1/,
    );
  });
});

describe('groupIndices', () => {
  test('collects samples by group, and samples without a group alone', () => {
    expect(groupIndices([{ group: 'a' }, {}, { group: 'b' }, { group: 'a' }, {}])).toEqual([[0, 3], [1], [2], [4]]);
  });
});

describe('chooseCaption', () => {
  const captions = ['a cat', 'cat', 'the cat'];

  test('chooses the same caption for the same position, and all of them over time', () => {
    const chosen = range(100).map((position) => chooseCaption(captions, { seed: 1, position }));
    expect(range(100).map((position) => chooseCaption(captions, { seed: 1, position }))).toEqual(chosen);
    expect(new Set(chosen)).toEqual(new Set(captions));
  });

  test('drops the caption with the probability of dropout', () => {
    const dropped = range(10_000).filter(
      (position) => chooseCaption(captions, { seed: 1, position, dropout: 0.2 }) === '',
    );
    // 2000 expected; five standard deviations are 200.
    expect(Math.abs(dropped.length - 2000)).toBeLessThan(200);
    expect(chooseCaption(captions, { seed: 1, position: 0, dropout: 1 })).toBe('');
    expect(captions).toContain(chooseCaption(captions, { seed: 1, position: 0, dropout: 0 }));
  });

  test('refuses a dropout that is not a probability, and an empty list of captions', () => {
    expect(() => chooseCaption(captions, { seed: 1, position: 0, dropout: 1.5 })).toThrow(
      'dropout must be a number of at least 0 and of at most 1, not 1.5.',
    );
    expect(() => chooseCaption([], { seed: 1, position: 0 })).toThrow(
      'captions must be a list of at least one caption, not [].',
    );
  });
});
