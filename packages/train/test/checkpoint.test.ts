import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ResidentState, StateBlock, TensorData } from '@dalle-mini/graph';
import { readBlock } from '@dalle-mini/graph/stablehlo';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { localHosts } from '@dalle-mini/testing/local-hosts';
import { float32 } from '@dalle-mini/testing/values';
import { readCheckpointFile } from '@dalle-mini/weights/node';
import { describe, expect, test } from 'vitest';
import { deleteOldCheckpoints, loadCheckpoint, saveCheckpoint } from '../src/run/checkpoint.js';
import { deleteUnfinishedFiles } from '../src/run/checkpoint-files.js';

const values: Readonly<Record<string, TensorData>> = {
  wide: float32(
    [4, 6],
    Array.from({ length: 24 }, (_, i) => i),
  ),
  small: float32([3], [1, 2, 3]),
};
const memory = new Map([['memory', Float32Array.of(7)]]);
const shapes = new Map([...Object.entries(values).map(([name, { shape }]) => [name, shape] as const), ['memory', [1]]]);
const settings = { seed: 1, steps: 100 };

const whole: Pick<ResidentState, 'read'> = { read: async () => ({ ...values }) };

/** A state whose wide tensor is divided along its columns. `onRead` is called before a part is read. */
function divided(parts: number, onRead: (part: number) => void = () => {}): Pick<ResidentState, 'read' | 'division'> {
  const columns = 6 / parts;
  return {
    read: () => Promise.reject(new Error('The state must not be gathered.')),
    division: {
      parts,
      async read(part) {
        onRead(part);
        const starts = [0, part * columns];
        const wide: StateBlock = { starts, value: readBlock(values.wide!, { starts, shape: [4, columns] }) };
        return part === 0 ? { wide, small: { starts: [0], value: values.small! } } : { wide };
      },
    },
  };
}

const load = (folder: string) => loadCheckpoint(folder, shapes, settings, {});
const save = (folder: string, step: number, state: Pick<ResidentState, 'read' | 'division'>) =>
  saveCheckpoint(folder, step, { state, memory }, shapes, settings);
const partsOf = (step: number) => [1, 2, 3].map((part) => `checkpoint-0000000${step}-0000${part}-of-00003.safetensors`);

const expected = new Map<string, Float32Array>([
  ...Object.entries(values).map(([name, { data }]) => [name, data as Float32Array] as const),
  ...memory,
]);

describe('a checkpoint', () => {
  test('of a state on one device is one file', async () => {
    const folder = await temporaryFolder();
    await save(folder, 5, whole);
    expect(await readdir(folder)).toEqual(['checkpoint-00000005.safetensors']);
    expect(await load(folder)).toMatchObject({ step: 5, tensors: expected });
    const { metadata } = await readCheckpointFile(join(folder, 'checkpoint-00000005.safetensors'));
    expect(Object.keys(metadata).sort()).toEqual(['settings', 'step']);
  });

  test('of a divided state has a file for each part, and is read as a whole', async () => {
    const folder = await temporaryFolder();
    await save(folder, 5, divided(3));
    expect((await readdir(folder)).sort()).toEqual(partsOf(5));
    const { tensors } = await readCheckpointFile(join(folder, partsOf(5)[1]!));
    expect([...tensors].map(([name, { shape }]) => [name, shape])).toEqual([['wide', [4, 2]]]);
    expect(await load(folder)).toMatchObject({ step: 5, tensors: expected });
  });

  test.each([0, 1, 2])('that ends before part %i is written is not there, and leaves the one before', async (last) => {
    const folder = await temporaryFolder();
    await save(folder, 5, whole);
    const crash = (part: number) => {
      if (part === last) throw new Error('killed');
    };
    await expect(save(folder, 6, divided(3, crash))).rejects.toThrow('killed');
    expect(await readdir(folder)).toHaveLength(3 - last);
    expect(await load(folder)).toMatchObject({ step: 5, tensors: expected });
    await deleteUnfinishedFiles(folder);
    expect(await readdir(folder)).toEqual(['checkpoint-00000005.safetensors']);
  });

  test('of several hosts has parts of each, and names a host whose parts are elsewhere', async () => {
    const folders = [await temporaryFolder(), await temporaryFolder()] as const;
    const saveOn = (folderOf: (rank: number) => string, step: number) =>
      Promise.all(
        localHosts(2).map((hosts) => {
          const state = { state: divided(3, (part) => expect(part % 2).toBe(hosts.rank)), memory };
          return saveCheckpoint(folderOf(hosts.rank), step, state, shapes, settings, hosts);
        }),
      );
    await saveOn(() => folders[0], 5);
    expect(await load(folders[0])).toMatchObject({ step: 5, tensors: expected });
    await expect(saveOn((rank) => folders[rank]!, 6)).rejects.toThrow(
      `must be on a file system that all hosts share, but rank 1 has written ${partsOf(6)[1]} elsewhere than to ${folders[0]}.`,
    );
    expect(await load(folders[0])).toMatchObject({ step: 5 });
  });

  test('with a missing part is refused with what to delete', async () => {
    const folder = await temporaryFolder();
    await save(folder, 5, whole);
    await save(folder, 6, divided(3));
    const [first, , third] = partsOf(6).map((name) => join(folder, name));
    await rm(third!);
    await expect(load(folder)).rejects.toThrow(
      `The checkpoint is damaged: ${third} is missing. Delete ${first} and run again: training then resumes from checkpoint-00000005.safetensors.`,
    );
    await rm(first!);
    await deleteUnfinishedFiles(folder);
    expect(await load(folder)).toMatchObject({ step: 5 });
  });

  test('with parts of another division is refused', async () => {
    const folder = await temporaryFolder();
    const narrow = divided(3).division!;
    const short = { ...narrow, read: (part: number) => narrow.read(part === 2 ? 1 : part) };
    await save(folder, 6, { ...divided(3), division: { ...short, parts: 2 } });
    await expect(load(folder)).rejects.toThrow('The parts must have 24 elements of wide, not 16.');
  });

  test('goes with all its parts when two newer ones are there', async () => {
    const folder = await temporaryFolder();
    for (const step of [5, 6]) await save(folder, step, divided(3));
    await save(folder, 7, whole);
    expect(await deleteOldCheckpoints(folder)).toEqual([6, 7]);
    expect((await readdir(folder)).sort()).toEqual([...partsOf(6), 'checkpoint-00000007.safetensors']);
  });
});
