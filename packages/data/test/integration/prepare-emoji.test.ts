import { readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { emojiVendors } from '@dalle-mini/data/emoji';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { describe, expect, test } from 'vitest';
import { openEmoji } from '../../src/emoji/dataset.js';
import { dominantColor } from '../../src/emoji/dominant-color.js';
import { readPackageJson } from '../../src/emoji/icons.js';
import { type PrepareEmojiOptions, prepareEmoji } from '../../src/emoji/prepare.js';
import { pixelAt } from '../pictures.js';

const redApple = '1F34E';
const thumbsUp = '1F44D';
const japan = '1F1EF-1F1F5';
const wheelchair = '1F469-200D-1F9BC';
const few: PrepareEmojiOptions = {
  imageSize: 32,
  vendors: ['twemoji', 'noto-v1', 'fxemoji'],
  concepts: [redApple, thumbsUp, japan, wheelchair],
};
/** More pictures than one batch. */
const many: PrepareEmojiOptions = {
  imageSize: 16,
  vendors: ['twemoji'],
  concepts: [redApple, thumbsUp, '1F469-200D-1F680', '1F3C3', '1F44B', '1F64F', '1F590', '1F91D', '1F46D'],
};

describe('prepareEmoji', () => {
  test('refuses a set that is not among the open-licensed ones, and lists those', async () => {
    const vendors = ['apple'] as unknown as PrepareEmojiOptions['vendors'];
    const error = await prepareEmoji('unused', { ...few, vendors }).catch((thrown: Error) => thrown);
    for (const vendor of emojiVendors) expect((error as Error).message).toContain(`"${vendor}"`);
  });

  test('renders the emoji of each set, with all skin tones of a drawing in one group', async () => {
    const dataset = await prepareEmoji(await temporaryFolder(), few);
    const byGroup = new Map<string, number>();
    for (const { group } of dataset.entries) byGroup.set(group, (byGroup.get(group) ?? 0) + 1);
    expect(Object.fromEntries(byGroup)).toEqual({
      [`${redApple}/twemoji`]: 1,
      [`${redApple}/noto-v1`]: 1,
      [`${redApple}/fxemoji`]: 1,
      [`${thumbsUp}/twemoji`]: 6,
      [`${thumbsUp}/noto-v1`]: 6,
      [`${thumbsUp}/fxemoji`]: 1,
      [`${japan}/twemoji`]: 1,
      [`${japan}/noto-v1`]: 1,
      [`${japan}/fxemoji`]: 1,
      [`${wheelchair}/twemoji`]: 6,
    });
    const apple = await dataset.get(dataset.entries.findIndex(({ key }) => key === 'twemoji/red-apple'));
    expect(apple.image.data).toHaveLength(32 * 32 * 3);
    expect(pixelAt(apple.image, 0, 0)).toEqual([255, 255, 255]);
    expect(dominantColor(apple.image)).toBe('red');
    expect(apple.captions.slice(0, 2)).toEqual(['red apple', 'a red apple']);
    await dataset.close();
  });

  test('renders a whole flag inside a blank margin', async () => {
    const dataset = await prepareEmoji(await temporaryFolder(), { ...few, imageSize: 64, concepts: [japan] });
    const { image } = await dataset.get(dataset.entries.findIndex(({ vendor }) => vendor === 'twemoji'));
    await dataset.close();
    expect(pixelAt(image, 32, 32)[1]).toBeLessThan(100);
    // 4 % of 64 pixels is more than 2.
    for (let at = 0; at < 64; at++) {
      expect(pixelAt(image, 1, at)).toEqual([255, 255, 255]);
      expect(pixelAt(image, at, 62)).toEqual([255, 255, 255]);
    }
  });

  test('continues where a stopped run was, with the result of an uninterrupted run', async () => {
    const unbroken = await temporaryFolder();
    await (await prepareEmoji(unbroken, many)).close();
    const picturesIn = async (folder: string) => (await readdir(folder)).find((name) => name.startsWith('pictures-'))!;

    const folder = await temporaryFolder();
    const controller = new AbortController();
    const drawn: number[] = [];
    const killed = prepareEmoji(folder, {
      ...many,
      signal: controller.signal,
      onProgress: ({ done }) => {
        drawn.push(done);
        controller.abort(new Error('killed by the test'));
      },
    });
    await expect(killed).rejects.toThrow('killed by the test');
    await expect(openEmoji(folder)).rejects.toThrow(/has no prepared emoji\. Call prepareEmoji/);
    // A kill may leave a picture half written.
    const partial = join(folder, await picturesIn(folder));
    const size = 16 ** 2 * 3;
    await truncate(partial, 20 * size + 100);

    const resumed: number[] = [];
    const dataset = await prepareEmoji(folder, { ...many, onProgress: ({ done }) => resumed.push(done) });
    expect(drawn).toEqual([32]);
    expect(resumed[0]).toBe(52);
    expect(resumed.at(-1)).toBe(dataset.length);
    await dataset.close();
    const name = await picturesIn(folder);
    expect(name).toBe(await picturesIn(unbroken));
    expect(await readFile(join(folder, name))).toEqual(await readFile(join(unbroken, name)));
    expect((await readdir(folder)).filter((file) => /partial|tmp/.test(file))).toEqual([]);
  });

  test('opens a prepared folder without rendering again, and changes only the splits for another seed', async () => {
    const folder = await temporaryFolder();
    await (await prepareEmoji(folder, few)).close();
    let draws = 0;
    const onProgress = () => {
      draws++;
    };
    await (await prepareEmoji(folder, { ...few, onProgress })).close();
    await (await prepareEmoji(folder, { ...few, seed: 1, onProgress })).close();
    expect(draws).toBe(0);
    const other = await prepareEmoji(folder, { ...few, imageSize: 16, onProgress });
    expect(draws).toBeGreaterThan(0);
    expect(other.imageSize).toBe(16);
    expect((await readdir(folder)).length).toBe(3);
    await other.close();
  });

  test('refuses impossible options and says what to do', async () => {
    const folder = await temporaryFolder();
    await expect(prepareEmoji(folder, { ...few, imageSize: 4 })).rejects.toThrow(
      'imageSize must be a whole number from 8 to 512, not 4.',
    );
    const vendors = ['openmoji'] as never;
    await expect(prepareEmoji(folder, { ...few, vendors })).rejects.toThrow(
      /vendors\[0\] must be "noto", .*, not "openmoji"\./,
    );
    await expect(prepareEmoji(folder, { ...few, concepts: ['apple'] })).rejects.toThrow(
      /concepts must be hexcodes of emoji, such as '1F34E', not \["apple"\]/,
    );
    await expect(readPackageJson('@iconify-json/not-installed', 'icons.json')).rejects.toThrow(
      /npm install emojibase-data @iconify-json\/noto /,
    );
    const file = join(folder, 'file');
    await writeFile(file, '');
    await expect(prepareEmoji(join(file, 'sub'), few)).rejects.toThrow(/a part of its path is a file/);
  });
});

describe('EmojiDataset', () => {
  test('selects subsets whose indices start at 0', async () => {
    const dataset = await prepareEmoji(await temporaryFolder(), few);
    const flags = dataset.subset(({ concept }) => concept === japan);
    expect(flags.length).toBe(3);
    const whole = await dataset.get(dataset.entries.findIndex(({ key }) => key === flags.entries[2]!.key));
    expect(await flags.get(2)).toEqual(whole);
    expect(await flags.subset(({ vendor }) => vendor === whole.vendor).get(0)).toEqual(whole);
    await expect(flags.get(3)).rejects.toThrow('index must be a whole number from 0 to 2, not 3.');
    const splits = (['train', 'held-out-drawings', 'unseen-concepts'] as const).map(
      (split) => dataset.subset(split).length,
    );
    expect(splits.reduce((sum, length) => sum + length)).toBe(dataset.length);
    await dataset.close();
  });
});
