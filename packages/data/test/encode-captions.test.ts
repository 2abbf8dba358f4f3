import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { OptionError, type TextEncoder } from '@dalle-mini/core';
import {
  captionEncoderOf,
  DataError,
  type Dataset,
  describeEncoder,
  encodeCaptions,
  hasHiddenStates,
  isSameEncoder,
  openTokenShards,
  type Sample,
  writeTokenShards,
} from '@dalle-mini/data';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { describe, expect, test } from 'vitest';

const width = 3;
const maxLength = 5;

/** A state of a letter, the hidden states of a caption. One that is not exact in 16 bits, and padding that is not zero. */
const stateOf = (letter: string) => [letter.charCodeAt(0) / 7, -letter.charCodeAt(0), 0.1];

/** Encodes the letters of captions, and lists the captions that it has encoded. */
function letterEncoder(version = 'a'): TextEncoder & { readonly encoded: string[] } {
  const encoded: string[] = [];
  return {
    width,
    maxLength,
    encoded,
    fingerprint: async () => version.charCodeAt(0).toString(16).padStart(64, '0'),
    async encode(captions, { padding } = {}) {
      encoded.push(...captions);
      const letters = captions.map((caption) => [...`^${caption}`].slice(0, maxLength));
      const length = padding === 'longest' ? Math.max(...letters.map((all) => all.length)) : maxLength;
      const hiddenStates = new Float32Array(captions.length * length * width).fill(9);
      const attentionMask = new Int32Array(captions.length * length);
      for (const [i, all] of letters.entries())
        for (const [place, letter] of all.entries()) {
          hiddenStates.set(stateOf(letter), (i * length + place) * width);
          // The letter x is not attended to.
          attentionMask[i * length + place] = letter === 'x' ? 0 : 1;
        }
      return { hiddenStates, attentionMask, batch: captions.length, length, width };
    },
    dispose: async () => undefined,
  };
}

const tokenizer = {
  imageSize: 4,
  gridSize: 1,
  vocabularySize: 16,
  encode: async (images: readonly unknown[]) => images.map(() => Int32Array.of(7)),
  decode: () => Promise.reject(new Error('unused')),
  dispose: async () => undefined,
};

const datasetOf = (captions: readonly (readonly string[])[]): Dataset<Sample> => ({
  length: captions.length,
  get: async (index) => ({
    key: `${index}`,
    image: { width: 4, height: 4, data: new Uint8Array(48) },
    captions: captions[index]!,
  }),
});

async function shardsOf(captions: readonly (readonly string[])[], shardSize = 2): Promise<string> {
  const folder = await temporaryFolder();
  await writeTokenShards(datasetOf(captions), tokenizer, folder, { shardSize });
  return folder;
}

const captions = [['dog', 'cat'], ['cat'], ['dog', 'axle'], ['a longer one']] as const;

/** What 16 bits leave of numbers: 11 significant bits. */
const rounded = (values: readonly number[]) =>
  values.map((value) => expect.closeTo(value, Math.log10(1024 / Math.abs(value))));

describe('hidden states of captions', () => {
  test('are those of the encoder in 16 bits, without padding, and of the empty caption', async () => {
    const folder = await shardsOf(captions);
    await encodeCaptions(folder, letterEncoder(), { name: 'letters', batchSize: 2 });
    const { hiddenStates: states } = await openTokenShards(folder);
    expect(states!.encoder).toEqual({ name: 'letters', sha256: `${'0'.repeat(62)}61`, maxLength, width });
    for (const [index, caption] of [
      [0, 'dog'],
      [0, 'cat'],
      [1, 'cat'],
      [2, 'axle'],
      [3, 'a longer one'],
      [3, ''],
    ] as const) {
      const letters = [...`^${caption}`].slice(0, maxLength);
      const found = await states!.get(index, caption);
      expect([...found.hiddenStates], caption).toEqual(rounded(letters.flatMap(stateOf)));
      expect([...found.attentionMask], caption).toEqual(letters.map((letter) => (letter === 'x' ? 0 : 1)));
    }
    await expect(states!.get(0, 'axle')).rejects.toThrow(/shard-000000.states has no hidden states of "axle"/);
    await expect(states!.get(4, 'dog')).rejects.toThrow(OptionError);
    expect((await openTokenShards(folder, { hiddenStates: 'computed' })).hiddenStates).toBeUndefined();
    expect((await openTokenShards(await shardsOf(captions))).hiddenStates).toBeUndefined();
  });

  test('are computed once for each caption of a shard, and never again', async () => {
    const folder = await shardsOf(captions);
    const encoder = letterEncoder();
    const progress: string[] = [];
    await encodeCaptions(folder, encoder, {
      onProgress: ({ done, total, unit }) => progress.push(`${done}/${total} ${unit}`),
    });
    expect(encoder.encoded).toEqual(['', 'dog', 'cat', '', 'dog', 'axle', 'a longer one']);
    expect(progress).toEqual(['3/3 captions', '4/4 captions']);
    expect(await hasHiddenStates(folder)).toBe(true);
    await encodeCaptions(folder, encoder);
    expect(encoder.encoded.length).toBe(7);
  });

  test('are whole or missing after an interruption, and continue after the last whole shard', async () => {
    const folder = await shardsOf(captions);
    const stop = new AbortController();
    const stopping = encodeCaptions(folder, letterEncoder(), {
      batchSize: 1,
      signal: stop.signal,
      onProgress: ({ done, total }) => total === 4 && done === 2 && stop.abort(new Error('enough')),
    });
    await expect(stopping).rejects.toThrow('enough');
    expect((await readdir(folder)).filter((name) => name.includes('states')).sort()).toEqual([
      'shard-000000.states',
      'shard-000000.states.jsonl',
      'states.json',
    ]);
    expect(await hasHiddenStates(folder)).toBe(false);
    await expect(openTokenShards(folder)).rejects.toThrow(
      /has captions without hidden states. Encode its captions again/,
    );
    const encoder = letterEncoder();
    await encodeCaptions(folder, encoder);
    expect(encoder.encoded).toEqual(['', 'dog', 'axle', 'a longer one']);
    const whole = await shardsOf(captions);
    await encodeCaptions(whole, letterEncoder(), { batchSize: 1 });
    for (const name of await readdir(whole))
      expect(await readFile(join(folder, name)), name).toEqual(await readFile(join(whole, name)));
  });

  test('are refused if they are damaged, of another encoder, or of some shards only', async () => {
    const folder = await shardsOf(captions);
    await encodeCaptions(folder, letterEncoder(), { name: 'first' });
    await expect(encodeCaptions(folder, letterEncoder('b'), { name: 'second' })).rejects.toThrow(
      /has hidden states of first \(SHA-256 000000000000…, 5 tokens, width 3\), not of second .*Delete .*states.json/,
    );
    await expect(hasHiddenStates(folder, letterEncoder('b'))).rejects.toThrow(DataError);
    expect(await hasHiddenStates(folder, letterEncoder())).toBe(true);
    const plain = await shardsOf(captions);
    await expect(openTokenShards([folder, plain])).rejects.toThrow(
      /has no hidden states, and .* has hidden states of first/,
    );
    const other = await shardsOf(captions);
    await encodeCaptions(other, letterEncoder('b'));
    await expect(openTokenShards([folder, other])).rejects.toThrow(/must have hidden states of the same text encoder/);
    const path = join(folder, 'shard-000001.states');
    const bytes = await readFile(path);
    bytes[0]! ^= 1;
    await writeFile(path, bytes);
    const { hiddenStates } = await openTokenShards(folder);
    expect((await hiddenStates!.get(0, 'dog')).attentionMask.length).toBe(4);
    await expect(hiddenStates!.get(2, 'dog')).rejects.toThrow(/shard-000001.states is damaged: its SHA-256/);
  });

  test('are computed again for shards whose captions have changed', async () => {
    const folder = await shardsOf(captions);
    await encodeCaptions(folder, letterEncoder());
    await rm(join(folder, 'index.json'));
    await rm(join(folder, 'shard-000001.jsonl'));
    const rest = await shardsOf([...captions.slice(0, 3), ['new']]);
    for (const name of ['index.json', 'shard-000001.jsonl'])
      await writeFile(join(folder, name), await readFile(join(rest, name)));
    await expect(openTokenShards(folder)).rejects.toThrow(/has captions without hidden states/);
    const encoder = letterEncoder();
    await encodeCaptions(folder, encoder);
    expect(encoder.encoded).toEqual(['', 'dog', 'new', 'axle']);
  });

  test('need an encoder with hidden states and a fingerprint, and numbers that 16 bits can store', async () => {
    const folder = await shardsOf(captions);
    const { fingerprint, ...nameless } = letterEncoder();
    await expect(encodeCaptions(folder, nameless)).rejects.toThrow(/encoder.fingerprint must be a function/);
    await expect(encodeCaptions(folder, { ...letterEncoder(), width: 0 })).rejects.toThrow(
      /encoder.width must be at least 1/,
    );
    const large = letterEncoder();
    const encode = large.encode.bind(large);
    large.encode = async (all) => {
      const encoding = await encode(all);
      if (all.includes('cat')) encoding.hiddenStates[0] = 70_000;
      return encoding;
    };
    await expect(encodeCaptions(folder, large, { batchSize: 1 })).rejects.toThrow(
      /hidden states of "cat" must be .* 65504.*, not 70000/,
    );
    expect((await readdir(folder)).filter((name) => name.includes('states') || name.endsWith('.tmp'))).toEqual([]);
  });
});

test('encoders are the same if all but their names are', async () => {
  const one = await captionEncoderOf(letterEncoder(), 'one');
  expect(isSameEncoder(one, await captionEncoderOf(letterEncoder()))).toBe(true);
  expect(isSameEncoder(one, { ...one, maxLength: 6 })).toBe(false);
  expect(describeEncoder(one)).toMatch(/^one \(SHA-256 0{12}…, 5 tokens, width 3\)$/);
});
