import { copyFile, mkdir, readdir, readFile, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { openWebDataset, type ScanProgress } from '@dalle-mini/data';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { describe, expect, test } from 'vitest';
import { twoColoredPng } from './pictures.js';
import { type TarEntry, tarOf, tarWith } from './tar.js';

const png = await twoColoredPng(8, 8, [255, 0, 0], [0, 255, 0]);
const options = { imageSize: 8, onReport: () => undefined };
type Options = Parameters<typeof openWebDataset>[1];

/** A sample: an image and its caption. */
const sample = (stem: string, caption = stem): TarEntry[] => [
  [`${stem}.png`, png],
  [`${stem}.txt`, caption],
];

/** What archives have: captions by key, reasons by key of what is left out, and notes. */
async function read(source: string | readonly string[], more: Partial<Options> = {}) {
  const dataset = await openWebDataset(source, { ...options, ...more });
  const samples: Record<string, readonly string[]> = {};
  for (let index = 0; index < dataset.length; index++) {
    if (dataset.skipped.has(index)) continue;
    const { key, captions } = await dataset.get(index);
    samples[key] = captions;
  }
  const { omissions, notes } = dataset.report;
  return { samples, omitted: Object.fromEntries(omissions.map(({ key, reason }) => [key, reason])), notes };
}

describe('archives', () => {
  test('are named by patterns, also several', async () => {
    const folder = await temporaryFolder();
    for (const name of ['08', '09', '10', 'a', 'c']) await tarWith(sample('0', name), folder, `${name}.tar`);
    const keys = async (source: string | readonly string[]) => Object.keys((await read(source)).samples);
    expect(await keys(join(folder, '{08..10}.tar'))).toEqual(['08/0', '09/0', '10/0']);
    expect(await keys(join(folder, '{a,c}.tar'))).toEqual(['a/0', 'c/0']);
    expect(await keys(`${join(folder, '{08..09}.tar')}::${join(folder, 'c.tar')}`)).toEqual(['08/0', '09/0', 'c/0']);
    expect(await keys([join(folder, '{08,a}.tar'), join(folder, 'c.tar')])).toEqual(['08/0', 'a/0', 'c/0']);
    await expect(openWebDataset(join(folder, '{07..11}.tar'), options)).rejects.toThrow(
      /^2 of the 5 archives of the pattern ".*" are missing, such as .*07\.tar\. Download them, or correct/,
    );
    await expect(openWebDataset(join(folder, '*.tar'), options)).rejects.toThrow(
      /\*\.tar" must be a path or a pattern with braces, .* Name the folder instead\./,
    );
    await expect(openWebDataset('https://host/{0..1}.tar', options)).rejects.toThrow(/must be a file, not "https:/);
    await expect(openWebDataset([join(folder, 'a.tar'), join(folder, '{a,c}.tar')], options)).rejects.toThrow(
      /a\.tar is given twice/,
    );
  });

  test('may have braces in their names', async () => {
    const path = await tarWith(sample('0'), await temporaryFolder(), '{a,b}.tar');
    expect(Object.keys((await read(path)).samples)).toEqual(['{a,b}/0']);
  });

  test('are found in folders below a folder, and have keys of their own', async () => {
    const folder = await temporaryFolder();
    for (const name of ['a', 'b']) {
      await mkdir(join(folder, name));
      await tarWith(sample('0', name), join(folder, name), '0.tar');
    }
    await tarWith(sample('0', 'top'), folder, '0.tar');
    await writeFile(join(folder, '._0.tar'), 'x');
    await writeFile(join(folder, '0_stats.json'), '{}');
    await symlink(join(folder, 'a', '0.tar'), join(folder, 'linked.tar'));
    expect((await read(folder)).samples).toEqual({ '0/0': ['top'], 'a/0/0': ['a'], 'b/0/0': ['b'], 'linked/0': ['a'] });
    expect((await read([join(folder, 'a/0.tar'), join(folder, 'b/0.tar')])).samples).toEqual({
      'a/0/0': ['a'],
      'b/0/0': ['b'],
    });
  });

  test('that cannot be read are named, and the others are read', async () => {
    const folder = await temporaryFolder();
    const good = await readFile(await tarWith(sample('0'), folder, '0.tar'));
    await writeFile(join(folder, '1.tar'), good.subarray(0, 700));
    await writeFile(join(folder, '2.tar.zst'), 'x');
    await writeFile(join(folder, '3.tar'), `version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n`);
    await writeFile(join(folder, '4.tar'), Buffer.concat([Buffer.from('BZh9'), good]));
    expect(await read(folder)).toEqual({
      samples: { '0/0': ['0'] },
      omitted: {
        '1': 'damaged-archive',
        '2.tar.zst': 'unsupported-format',
        '3': 'damaged-archive',
        '4': 'damaged-archive',
      },
      notes: [],
    });
    await expect(openWebDataset(join(folder, '3.tar'), options)).rejects.toThrow(
      /3\.tar cannot be read\. It is a Git LFS/,
    );
    await expect(openWebDataset(join(folder, '4.tar'), options)).rejects.toThrow(
      /compressed with bzip2\. Decompress it/,
    );
  });

  test('in a folder of images are named with what to do', async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'a.png'), png);
    await expect(openWebDataset(folder, options)).rejects.toThrow(/has images such as a\.png\. Open it as a folder/);
  });

  test('that were joined are read to the end, each with keys of its own', async () => {
    const folder = await temporaryFolder();
    const path = join(folder, 'joined.tar');
    await writeFile(
      path,
      Buffer.concat([await tarOf(sample('0', 'first')), await tarOf(sample('0', 'second')), await tarOf(sample('1'))]),
    );
    expect((await read(path)).samples).toEqual({
      'joined/0': ['first'],
      'joined#2/0': ['second'],
      'joined#3/1': ['1'],
    });
    await writeFile(path, Buffer.concat([await tarOf(sample('0')), Buffer.alloc(20 * 512)]));
    expect((await read(path)).samples).toEqual({ 'joined/0': ['0'] });
  });

  test('report progress, and stop at a signal', async () => {
    const folder = await temporaryFolder();
    for (let i = 0; i < 6; i++) await tarWith(sample('0'), folder, `${i}.tar`);
    const progress: ScanProgress[] = [];
    await openWebDataset(folder, { ...options, onProgress: (one) => progress.push(one) });
    expect(progress.filter(({ unit }) => unit === 'files').map(({ done }) => done)).toEqual([1, 2, 3, 4, 5, 6]);
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(openWebDataset(folder, { ...options, signal })).rejects.toThrow('enough');
  });
});

describe('archives compressed with gzip', () => {
  test('are unpacked once into the cache, and again when they change', async () => {
    const folder = await temporaryFolder();
    const cacheFolder = join(await temporaryFolder(), 'cache');
    for (const [name, caption] of [
      ['a.tar.gz', 'first'],
      ['b.tgz', 'other'],
      ['c.tar', 'plain name'],
    ] as const)
      await writeFile(join(folder, name), gzipSync(await tarOf(sample('0', caption))));
    const expected = { 'a/0': ['first'], 'b/0': ['other'], 'c/0': ['plain name'] };
    expect((await read(folder, { cacheFolder })).samples).toEqual(expected);
    const cached = await readdir(cacheFolder);
    expect(cached.length).toBe(3);
    expect((await read(folder, { cacheFolder })).samples).toEqual(expected);
    expect(await readdir(cacheFolder)).toEqual(cached);

    await writeFile(join(folder, 'a.tar.gz'), gzipSync(await tarOf(sample('0', 'second'))));
    await utimes(join(folder, 'a.tar.gz'), 1e9, 1e9);
    expect((await read(folder, { cacheFolder })).samples).toEqual({ ...expected, 'a/0': ['second'] });
    expect((await readdir(cacheFolder)).length).toBe(3);
  });

  test('are named if they are truncated or damaged, and leave nothing in the cache', async () => {
    const cacheFolder = await temporaryFolder();
    const path = join(await temporaryFolder(), 'a.tar.gz');
    const bytes = gzipSync(await tarOf(sample('0')));
    await writeFile(path, bytes.subarray(0, bytes.length - 20));
    await expect(openWebDataset(path, { ...options, cacheFolder })).rejects.toThrow(
      /a\.tar\.gz is truncated\. Download/,
    );
    bytes[60]! ^= 255;
    await writeFile(path, bytes);
    await expect(openWebDataset(path, { ...options, cacheFolder })).rejects.toThrow(/a\.tar\.gz is damaged: /);
    expect(await readdir(cacheFolder)).toEqual([]);
  });

  test.each(['images', 'bytes'])('may be Parquet files with images in them, such as %s.parquet', async (name) => {
    const [folder, cacheFolder] = [await temporaryFolder(), await temporaryFolder()];
    await copyFile(new URL(`fixtures/${name}.parquet`, import.meta.url), join(folder, 'train.parquet'));
    const { samples, omitted } = await read(folder, { cacheFolder });
    expect(samples).toEqual({ 'train/00000000': ['red'], 'train/00000001': ['green'] });
    expect(omitted).toEqual({ 'train/00000002': 'no-caption' });
    const dataset = await openWebDataset(join(folder, 'train.parquet'), { ...options, cacheFolder });
    expect([...(await dataset.get(1)).image.data.subarray(0, 3)]).toEqual([0, 255, 0]);
    expect(await readdir(cacheFolder)).toHaveLength(1);
  });

  test('that are Parquet files without images, or damaged, are named', async () => {
    const cacheFolder = await temporaryFolder();
    const list = new URL('fixtures/metadata.parquet', import.meta.url).pathname;
    await expect(openWebDataset(list, { ...options, cacheFolder })).rejects.toThrow(
      /metadata\.parquet must have one column with the bytes of images, not 0\./,
    );
    const path = join(await temporaryFolder(), 'cut.parquet');
    const bytes = await readFile(new URL('fixtures/images.parquet', import.meta.url));
    await writeFile(path, bytes.subarray(0, 300));
    await expect(openWebDataset(path, { ...options, cacheFolder })).rejects.toThrow(
      /cut\.parquet is not a Parquet file, or damaged: .* Replace it\./,
    );
    expect(await readdir(cacheFolder)).toEqual([]);
  });

  test('next to which Parquet files are lists of what was downloaded, are read without these', async () => {
    const folder = await temporaryFolder();
    await tarWith(sample('0'), folder, 'a.tar');
    await copyFile(new URL('fixtures/images.parquet', import.meta.url), join(folder, 'a.parquet'));
    expect((await read(folder)).samples).toEqual({ 'a/0': ['0'] });
  });

  test('are left out if they are there without compression', async () => {
    const folder = await temporaryFolder();
    const path = await tarWith(sample('0'), folder, 'a.tar');
    await writeFile(`${path}.gz`, gzipSync(await readFile(path)));
    const cacheFolder = await temporaryFolder();
    expect(await read(folder, { cacheFolder })).toMatchObject({
      samples: { 'a/0': ['0'] },
      omitted: { 'a.tar.gz': 'duplicate' },
    });
  });
});

describe('members of archives', () => {
  test('with more dots in their names are samples', async () => {
    const path = await tarWith([...sample('IMG.2021.06'), ...sample('IMG.2022', 'later'), ...sample('0')]);
    expect(await read(path)).toEqual({
      samples: { 'shard-0/IMG.2021.06': ['IMG.2021.06'], 'shard-0/IMG.2022': ['later'], 'shard-0/0': ['0'] },
      omitted: {},
      notes: [],
    });
  });

  test('with two endings are a sample, and a note says what was read', async () => {
    const path = await tarWith([
      ['0.input.jpg', png],
      ['0.outputs.txt', 'a'],
      ['1.input.jpg', png],
      ['1.outputs.txt', 'b'],
      ['2.png', png],
      ['2.seg.png', png],
      ['2.txt', 'c'],
    ]);
    expect(await read(path)).toEqual({
      samples: { 'shard-0/0': ['a'], 'shard-0/1': ['b'], 'shard-0/2': ['c'] },
      omitted: {},
      notes: [
        'In 2 samples, input.jpg was read as the image, outputs.txt as its captions.',
        'In 1 sample, seg.png was not read.',
      ],
    });
  });

  test('are refused if it is not clear which is the image or the caption, unless an option says so', async () => {
    const path = await tarWith([
      ['0.input.jpg', png],
      ['0.seg.png', png],
      ['0.txt', 'plain'],
      ['0.long.txt', 'long'],
    ]);
    await expect(openWebDataset(path, options)).rejects.toThrow(
      /several images of one sample: 0\.input\.jpg and 0\.seg\.png\. Set the option image to the one to read, such as "input\.jpg"/,
    );
    expect((await read(path, { image: '.Input.JPG' })).samples).toEqual({ 'shard-0/0': ['plain'] });
    const chosen = await read(path, { image: 'seg.png', caption: 'long.txt' });
    expect(chosen).toEqual({ samples: { 'shard-0/0': ['long'] }, omitted: {}, notes: [] });
    const formats = await tarWith([['0.jpg', png], ...sample('0')]);
    await expect(openWebDataset(formats, options)).rejects.toThrow(/several images of one sample: 0\.jpg and 0\.png/);
  });

  test('that macOS adds, and other hidden ones, are not read', async () => {
    const path = await tarWith([
      ['./._0.png', 'x'],
      ['__MACOSX/0.png', 'x'],
      ['./.hidden/1.png', png],
      ...sample('./0'),
    ]);
    expect(await read(path)).toEqual({ samples: { 'shard-0/0': ['./0'] }, omitted: {}, notes: [] });
  });

  test('have names in composed Unicode, and others are told apart', async () => {
    const path = await tarWith([
      ['cafe\u0301.png', png],
      ['caf\u00e9.txt', 'coffee'],
    ]);
    expect((await read(path)).samples).toEqual({ 'shard-0/caf\u00e9': ['coffee'] });
  });

  test('of img2dataset have one caption with a line break', async () => {
    const path = await tarWith([
      ['0.png', png],
      ['0.txt', 'a cat\nsitting'],
      ['0.json', '{"caption": "a cat\\nsitting", "url": "x"}'],
      ['1.png', png],
      ['1.txt', 'one\ntwo'],
      ['1.json', '{"caption": "something else"}'],
      ['2.png', png],
      ['2.txt', ' '],
      ['2.json', '{"caption": "only here"}'],
    ]);
    expect((await read(path)).samples).toEqual({
      'shard-0/0': ['a cat sitting'],
      'shard-0/1': ['one', 'two'],
      'shard-0/2': ['only here'],
    });
  });

  test('that are no sample are told', async () => {
    const path = await tarWith([
      ...sample('0'),
      ['1.txt', 'no image'],
      ['2.png', png],
      ['3.heic', 'x'],
      ['3.txt', 'x'],
      ['4.png', 'text'],
      ['4.txt', 'x'],
      ['5.png', png],
      ['5.txt', Buffer.from('caf\xe9', 'latin1')],
      ['6.png', png],
      ['6.txt', 'a\0b'],
      ['7.png', png],
      ['7.json', 'null'],
    ]);
    expect((await read(path)).omitted).toEqual({
      'shard-0/1': 'no-image',
      'shard-0/2': 'no-caption',
      'shard-0/3': 'unsupported-format',
      'shard-0/4': 'unreadable-image',
      'shard-0/5': 'bad-encoding',
      'shard-0/6': 'bad-encoding',
      'shard-0/7': 'unreadable-caption',
    });
    expect((await read(path, { encoding: 'latin1' })).samples).toMatchObject({ 'shard-0/5': ['café'] });
  });

  test('that are sparse are refused by name', async () => {
    const path = await tarWith([['a.png', png, { pax: { 'GNU.sparse.major': '1' } }]]);
    await expect(openWebDataset(path, options)).rejects.toThrow(
      /"a\.png", a sparse file\. Repack it with tar, without/,
    );
  });
});
