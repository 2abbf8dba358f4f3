import { readdirSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CheckpointError, type CheckpointFile, readCheckpoint } from '@dalle-mini/weights';
import { readCheckpointFile } from '@dalle-mini/weights/node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { fixture, fixturePath } from './checkpoint-files.js';
import { uniform } from './random.js';

/**
 * Damages the fixtures at random and reads them. `FUZZ_FILES=100000 npx vitest run packages/weights/test/fuzz.test.ts` takes more
 * than the tests do, and `FUZZ_SEED` others.
 */
const FILES = Number(process.env.FUZZ_FILES ?? 3000);
const SEED = Number(process.env.FUZZ_SEED ?? 1);

/** Bytes that say "much", "nothing" and "the largest negative number" where a length stands. */
const TELLING = [0, 1, 0x7f, 0x80, 0xc6, 0xdd, 0xdf, 0xff];

const originals = readdirSync(fixturePath('.')).map(fixture);

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weights-'));
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

/** One to eight changes to a copy of `original`. */
function damage(original: Uint8Array, random: () => number): Uint8Array {
  const below = (limit: number) => Math.floor(random() * limit);
  let bytes = original.slice();
  for (let change = 0; change <= below(8); change++) {
    const at = below(bytes.length + 1);
    const length = 1 + below(random() < 0.8 ? 8 : 400);
    switch (below(7)) {
      case 0:
        bytes = bytes.slice(0, at);
        break;
      case 1:
        bytes[at] = bytes[at]! ^ (1 << below(8));
        break;
      case 2:
        bytes.fill(TELLING[below(TELLING.length)]!, at, at + length);
        break;
      case 3:
        for (let i = at; i < Math.min(bytes.length, at + length); i++) bytes[i] = below(256);
        break;
      case 4: // Some bytes left out.
        bytes = new Uint8Array(Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]));
        break;
      case 5: // Some bytes twice.
        bytes = new Uint8Array(
          Buffer.concat([bytes.subarray(0, at), bytes.subarray(at - length, at), bytes.subarray(at)]),
        );
        break;
      case 6: {
        // A piece of another file, or of another place in this one.
        const other = originals[below(originals.length)]!;
        const from = below(other.length);
        bytes.set(other.subarray(from, from + Math.min(length, bytes.length - at)), at);
        break;
      }
    }
  }
  return bytes;
}

/** What reading gives, or what its error says. Anything but a CheckpointError is thrown on. */
async function outcome(read: () => CheckpointFile | Promise<CheckpointFile>): Promise<CheckpointFile | string> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof CheckpointError) return error.message;
    throw error;
  }
}

test(`ends well or with a CheckpointError for ${FILES} damaged files`, { timeout: 3_600_000 }, async () => {
  const random = uniform(SEED);
  let refused = 0;
  let slowest = 0;
  let peak = 0;
  const start = performance.now();
  for (let i = 0; i < FILES; i++) {
    const bytes = damage(originals[i % originals.length]!, random);
    const before = process.cpuUsage();
    const read = await outcome(() => readCheckpoint(bytes));
    const { user, system } = process.cpuUsage(before);
    slowest = Math.max(slowest, (user + system) / 1e6);
    if (typeof read === 'string') refused++;
    else {
      for (const { bytes: content } of read.tensors.values())
        expect(content.length).toBeLessThanOrEqual(2 * bytes.length);
    }
    if (i % 50 === 0) {
      peak = Math.max(peak, process.memoryUsage().rss);
      // The file on disk goes the same way, to the same end.
      const path = join(folder, 'damaged');
      await writeFile(path, bytes);
      const fromFile = await outcome(() => readCheckpointFile(path));
      if (typeof read === 'string') expect(fromFile).toBe(`${path}: ${read}`);
      else expect(fromFile).toEqual(read);
    }
  }
  const seconds = (performance.now() - start) / 1000;
  if (process.env.FUZZ_FILES !== undefined) {
    console.log(
      `${FILES} files, seed ${SEED}: ${refused} refused, ${FILES - refused} read; ` +
        `slowest ${slowest.toFixed(3)} s, ${(peak / 1e6).toFixed(0)} MB at most, ${seconds.toFixed(0)} s in all`,
    );
  }
  // Damage that is not noticed lies in the values, mostly.
  expect(refused).toBeGreaterThan(FILES / 2);
  expect(slowest).toBeLessThan(1);
});
