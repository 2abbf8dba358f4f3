import { execFileSync } from 'node:child_process';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { openImageFolder, summarizeReport } from '@dalle-mini/data';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { describe, expect, test } from 'vitest';
import { captionFromName } from '../src/sources/name-captions.js';
import { twoColoredPng } from './pictures.js';

const options = { imageSize: 8, onReport: () => undefined };
const png = await twoColoredPng(8, 8, [255, 0, 0], [0, 255, 0]);

async function write(folder: string, files: Record<string, string | Uint8Array>): Promise<string> {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(join(folder, name, '..'), { recursive: true });
    await writeFile(join(folder, name), content);
  }
  return folder;
}
const folderWith = async (files: Record<string, string | Uint8Array>) => write(await temporaryFolder(), files);

/** What a folder has: captions by key, and reasons by key of what is left out. */
async function read(folder: string, more: Partial<Parameters<typeof openImageFolder>[1]> = {}) {
  const dataset = await openImageFolder(folder, { ...options, ...more });
  const samples: Record<string, readonly string[]> = {};
  for (let index = 0; index < dataset.length; index++) {
    if (dataset.skipped.has(index)) continue;
    const { key, captions } = await dataset.get(index);
    samples[key] = captions;
  }
  const omitted = Object.fromEntries(dataset.report.omissions.map(({ key, reason }) => [key, reason]));
  return { samples, omitted, notes: dataset.report.notes };
}

describe('images of a folder', () => {
  test('are found by any usual ending, in any case, and with dots in their names', async () => {
    const svg = '<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4"><rect width="4" height="4"/></svg>';
    const names = ['a.jpg', 'b.jfif', 'c.JPE', 'd.2021.06.png', 'e.SVG', 'f.Tiff'];
    const files = names.flatMap((name) => [
      [name, /svg/i.test(name) ? svg : png],
      [name.replace(/\.[^.]*$/, '.TXT'), name],
    ]);
    expect(await read(await folderWith(Object.fromEntries(files)))).toEqual({
      samples: Object.fromEntries(names.map((name) => [name, [name]])),
      omitted: {},
      notes: [],
    });
  });

  test('may have captions in .caption, .json and .jpg.txt files', async () => {
    const folder = await folderWith({
      'a.png': png,
      'a.caption': 'of a',
      'b.png': png,
      'b.json': '{"caption": "of b", "width": 8}',
      'c.png': png,
      'c.png.txt': 'of c',
      'd.png': png,
      'd.txt': 'both\nof d',
      'd.json': '{"caption": "both\\n of d"}',
      'e.png': png,
      'e.txt': 'text',
      'e.json': 'settings',
    });
    expect((await read(folder)).samples).toEqual({
      'a.png': ['of a'],
      'b.png': ['of b'],
      'c.png': ['of c'],
      'd.png': ['both of d'],
      'e.png': ['text'],
    });
  });

  test('that cannot be read are named with their format', async () => {
    const heic = Buffer.from('\0\0\0\x18ftypheic\0\0\0\0mif1heic', 'latin1');
    const folder = await folderWith({
      'a.png': png,
      'a.txt': 'a',
      'IMG_1.HEIC': heic,
      'IMG_1.txt': 'b',
      'old.psd': '8BPS',
      'old.txt': 'c',
      'renamed.jpg': heic,
      'renamed.txt': 'd',
      'page.jpg': '<!DOCTYPE html><html></html>',
      'page.txt': 'e',
      'a.psd': '8BPS',
    });
    const dataset = await openImageFolder(folder, options);
    const messages = Object.fromEntries(dataset.report.omissions.map(({ key, message }) => [key, message]));
    expect(Object.keys(messages).sort()).toEqual(['IMG_1.HEIC', 'a.psd', 'old.psd', 'page.jpg', 'renamed.jpg']);
    expect(messages['IMG_1.HEIC']).toMatch(/IMG_1\.HEIC is a HEIC image, which cannot be read\. Convert it to PNG/);
    expect(messages['renamed.jpg']).toMatch(/renamed\.jpg: it is a HEIC file, which cannot be read\. Convert it/);
    expect(messages['page.jpg']).toMatch(/page\.jpg: it is a web page\. Replace the file/);
    expect(messages['a.psd']).toMatch(/a\.psd is left out: an image of another format has the same name/);
  });

  test('are read through links, each folder once; broken links are named', async () => {
    const folder = await folderWith({ 'real/a.png': png, 'real/a.txt': 'a' });
    const other = await folderWith({ 'b.png': png, 'b.txt': 'b', 'c.png': png });
    await symlink(other, join(folder, 'linked'));
    await symlink(folder, join(folder, 'real', 'circle'));
    await symlink(join(folder, 'real'), join(folder, 'again'));
    await symlink(join(folder, 'real', 'a.txt'), join(other, 'c.txt'));
    await symlink('nowhere.png', join(folder, 'broken.png'));
    expect(await read(folder)).toEqual({
      samples: { 'linked/b.png': ['b'], 'linked/c.png': ['a'], 'real/a.png': ['a'] },
      omitted: { 'again/': 'duplicate', 'real/circle/': 'duplicate', 'broken.png': 'broken-link' },
      notes: [],
    });
  });

  test('are named if a link to them was copied as text', async () => {
    const folder = await folderWith({ 'set/photos': '../photos', 'photos/a.png': png, 'photos/a.txt': 'a' });
    await expect(openImageFolder(join(folder, 'set'), options)).rejects.toThrow(/photos is a link that was copied as/);
  });

  test('have keys in composed Unicode, whatever the disk has', async () => {
    const folder = await folderWith({
      'cafe\u0301.png': png,
      'caf\u00e9.txt': 'coffee',
      'list/e\u0301.png': png,
      'list/metadata.csv': 'file_name,text\n\u00e9.png,listed\n',
    });
    expect((await read(folder)).samples).toEqual({ 'caf\u00e9.png': ['coffee'], 'list/\u00e9.png': ['listed'] });
  });

  test('are told from hidden files and leftovers of operating systems', async () => {
    const folder = await folderWith({
      'a.png': png,
      'a.txt': 'a',
      '._a.png': 'x',
      '.DS_Store': 'x',
      '__MACOSX/._a.png': 'x',
      '@eaDir/a.png/SYNOPHOTO_THUMB_M.jpg': 'x',
      '.ipynb_checkpoints/a-checkpoint.png': png,
      'Thumbs.db': 'x',
      'README.txt': 'about the images',
    });
    expect(await read(folder)).toEqual({ samples: { 'a.png': ['a'] }, omitted: {}, notes: [] });
  });

  test('are not those of a training run', async () => {
    const run = { 'metrics.jsonl': '', 'reconstructions-00000010.png': png };
    const folder = await folderWith({ 'a.png': png, 'a.txt': 'a', 'b/c.png': png, 'b/c.txt': 'c' });
    for (const [name, content] of Object.entries(run))
      await write(folder, { [name]: content, [`run/${name}`]: content });
    expect(await read(folder)).toEqual({
      samples: { 'a.png': ['a'], 'b/c.png': ['c'] },
      omitted: {},
      notes: [`${join(folder, 'run')} is left out.`],
    });
    const { samples, notes } = await read(folder, { exclude: [join(folder, 'b')] });
    expect([Object.keys(samples), notes.length]).toEqual([['a.png'], 2]);
  });

  test('and captions may be Git LFS pointers, which are named', async () => {
    const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${'0'.repeat(64)}\nsize 12345\n`;
    const folder = await folderWith({
      'a.png': png,
      'a.txt': pointer,
      'b.png': pointer,
      'b.txt': 'b',
      'c.png': png,
      'c.txt': 'c',
    });
    expect((await read(folder)).omitted).toEqual({ 'a.png': 'git-lfs-pointer', 'b.png': 'git-lfs-pointer' });
    await write(folder, { 'metadata.jsonl': pointer });
    const { samples, omitted } = await read(folder);
    expect([samples, omitted['metadata.jsonl']]).toEqual([{ 'c.png': ['c'] }, 'unreadable-list']);
    await expect(openImageFolder(folder, { ...options, onError: 'fail' })).rejects.toThrow(
      /metadata\.jsonl cannot be read\. It is a Git LFS/,
    );
  });

  test('without captions and captions without images are told', async () => {
    const folder = await folderWith({ 'a.png': png, 'a.txt': 'a', 'b.png': png, 'c.txt': 'c' });
    expect((await read(folder)).omitted).toEqual({ 'b.png': 'no-caption', 'c.txt': 'no-image' });
    await expect(openImageFolder(folder, { ...options, onError: 'fail' })).rejects.toThrow(/^1 of 2 samples/);
  });

  test('that are packed are named with what to do', async () => {
    const cases = [
      ['0.tar', /but archives such as 0\.tar\. Open it as a WebDataset/],
      ['set.zip', /but set\.zip\. Extract the images/],
    ] as const;
    for (const [name, message] of cases)
      await expect(openImageFolder(await folderWith({ [name]: 'x' }), options)).rejects.toThrow(message);
  });
});

describe('captions of other encodings', () => {
  test('are read in UTF-16, and with their encoding', async () => {
    const folder = await folderWith({
      'a.png': png,
      'a.txt': Buffer.from('\ufeffa red café', 'utf16le'),
      'b.png': png,
      'b.txt': Buffer.from('a caf\xe9', 'latin1'),
      'c.png': png,
      'c.txt': 'a café',
    });
    expect((await read(folder)).omitted).toEqual({ 'b.png': 'bad-encoding' });
    expect((await read(folder, { encoding: 'windows-1252' })).samples).toEqual({
      'a.png': ['a red café'],
      'b.png': ['a café'],
      'c.png': ['a café'],
    });
    await expect(openImageFolder(folder, { ...options, encoding: 'utf-7' })).rejects.toThrow(
      /encoding must be the name of a text encoding, such as windows-1252, not "utf-7"/,
    );
  });

  test('are refused in lists by line', async () => {
    const folder = await folderWith({
      'a.png': png,
      'metadata.csv': Buffer.from('file_name,text\na.png,a caf\xe9\n', 'latin1'),
    });
    await expect(openImageFolder(folder, options)).rejects.toThrow(/metadata\.csv, line 2 is not valid UTF-8\./);
    expect((await read(folder, { encoding: 'latin1' })).samples).toEqual({ 'a.png': ['a café'] });
  });

  test.each([
    ['metadata.csv', 'file_name,text\n', (name: string, text: string) => `${name},${text}\n`],
    ['metadata.tsv', 'file_name\ttext\n', (name: string, text: string) => `${name}\t${text}\n`],
    ['metadata.jsonl', '', (name: string, text: string) => `{"file_name": "${name}", "text": "${text}"}\n`],
    ['other.csv', 'file_name,text\n', (name: string, text: string) => `${name},${text}\n`],
  ])('in another encoding are left out, and the other lines of %s are not', async (name, header, line) => {
    const lines = [line('a.png', 'a cat'), line('b.png', 'a caf\xe9'), line('\xe9.png', 'c'), line('d.png', 'd')];
    const folder = await folderWith({
      'a.png': png,
      'b.png': png,
      'd.png': png,
      [name]: Buffer.from([header, ...lines].join(''), 'latin1'),
    });
    const first = header === '' ? 1 : 2;
    const { samples, omitted } = await read(folder);
    expect(samples).toEqual({ 'a.png': ['a cat'], 'd.png': ['d'] });
    expect(omitted).toEqual({ 'b.png': 'bad-encoding', [`${name}, line ${first + 2}`]: 'bad-encoding' });
    await expect(openImageFolder(folder, { ...options, onError: 'fail' })).rejects.toThrow(
      `${name}, line ${first + 1} is not valid UTF-8. Save the text as UTF-8, or set its encoding`,
    );
  });

  test.each(['\\u0000', '\\ufffd', '\\ud800'])('never have %s', async (character) => {
    const line = (name: string, text: string) => `{"file_name": "${name}", "text": "${text}"}\n`;
    const folder = await folderWith({
      'a.png': png,
      'b.png': png,
      'metadata.jsonl': line('a.png', `a caf${character}`) + line('a.png', 'fine') + line('b.png', 'b \\ud83d\\ude00'),
    });
    expect(await read(folder)).toMatchObject({ samples: { 'b.png': ['b 😀'] }, omitted: { 'a.png': 'bad-encoding' } });
  });
});

describe('lists of captions', () => {
  const csv = 'file_name,text\na.png,"a cat, sitting"\nb.png,"two\nlines"\n';
  const listed = { 'a.png': ['a cat, sitting'], 'b.png': ['two lines'] };

  test.each([
    ['metadata.jsonl', '{"file_name":"a.png","text":"a cat, sitting"}\n{"file_name":"b.png","text":"two\\nlines"}'],
    ['metadata.csv', csv],
    ['metadata.csv', `\ufeff${csv.replaceAll('\n', '\r\n')}`],
    ['METADATA.CSV', csv],
    ['metadata.csv', 'image;caption\na.png;a cat, sitting\nb.png;"two\nlines"\n'],
    ['metadata.tsv', 'Image Path\tcaption\na.png\ta cat, sitting\nb.png\t"two\nlines"\n'],
    ['captions.json', '{"a.png": "a cat, sitting", "b.png": ["two\\nlines"]}'],
    ['captions.json', '[{"file": "a.png", "caption": "a cat, sitting"}, {"file": "b.png", "caption": "two\\nlines"}]'],
    [
      'captions.json',
      '{"images": [{"id": 1, "file_name": "a.png"}, {"id": 2, "file_name": "b.png"}], "annotations": ' +
        '[{"image_id": 2, "caption": "two\\nlines"}, {"image_id": 1, "caption": "a cat, sitting"}]}',
    ],
    ['labels.csv', csv],
    ['train.jsonl', '{"path":"a.png","prompt":"a cat, sitting"}\n{"path":"b.png","prompt":"two\\nlines"}'],
    ['captions.txt', 'image,caption\na.png,"a cat, sitting"\nb.png,"two\nlines"\n'],
    ['metadata.csv', '\ufeffsep=;\r\nfile_name;text\r\na.png;"a cat, sitting"\r\nb.png;"two\nlines"\r\n'],
    ['captions.ndjson', '{"file_name":"a.png","text":"a cat, sitting"}\n{"file_name":"b.png","text":"two\\nlines"}'],
    ['captions.csv.gz', gzipSync(csv)],
    [
      'data.json',
      '{"version": 1, "data": [{"image": "a.png", "caption": "a cat, sitting"}, {"image": "b.png", "caption": "two\\nlines"}]}',
    ],
    [
      'dataset_flickr8k.json',
      '{"images": [{"filename": "a.png", "sentences": [{"raw": "a cat, sitting"}]}, {"filename": "b.png", "sentences": [{"raw": "two\\nlines"}]}]}',
    ],
    ['part-000001.json', '{"a.png": {"p": "a cat, sitting", "se": 1}, "b.png": {"p": "two\\nlines", "se": 2}}'],
    ['meta_cap.json', '{"a": {"caption": "a cat, sitting"}, "b": {"caption": "two\\nlines"}}'],
  ])('are read from %s', async (name, content) => {
    expect(await read(await folderWith({ 'a.png': png, 'b.png': png, [name]: content }))).toEqual({
      samples: listed,
      omitted: {},
      notes: [],
    });
  });

  test('may be in a folder of their own, as those of COCO', async () => {
    const images = '"images": [{"id": 1, "file_name": "a.png"}]';
    const folder = await folderWith({
      'train2017/a.png': png,
      'annotations/captions_train2017.json': `{${images}, "annotations": [{"image_id": 1, "caption": "a cat"}]}`,
      'annotations/instances_train2017.json': `{${images}, "annotations": [{"image_id": 1, "category_id": 7}]}`,
      'annotations/notes.json': '{"cut off',
    });
    expect(await read(folder)).toEqual({ samples: { 'train2017/a.png': ['a cat'] }, omitted: {}, notes: [] });
  });

  test('are not looked for in more than 100 JSON files, which are of something else', async () => {
    const others = Array.from({ length: 100 }, (_, i) => [`labels/${i}.json`, '{"label": 1}'] as const);
    const list = ['data.json', '{"a.png": "a"}'] as const;
    const few = await folderWith(Object.fromEntries([['a.png', png], list, ...others.slice(1)]));
    expect((await read(few)).samples).toEqual({ 'a.png': ['a'] });
    const many = await folderWith(Object.fromEntries([['a.png', png], list, ...others]));
    await expect(openImageFolder(many, options)).rejects.toThrow(/a\.png has no caption/);
  });

  test('are not of images in other folders if their own has some', async () => {
    const folder = await folderWith({
      'a/a.png': png,
      'b/b.png': png,
      'b/metadata.csv': 'file_name,text\na.png,a\nb.png,b\n',
    });
    const { samples, omitted } = await read(folder);
    expect(samples).toEqual({ 'b/b.png': ['b'] });
    expect(omitted).toEqual({ 'b/a.png': 'missing-file', 'a/a.png': 'no-caption' });
  });

  test('that are compressed must be of gzip', async () => {
    const folder = await folderWith({ 'a.png': png, 'captions.csv.gz': csv });
    await expect(openImageFolder(folder, options)).rejects.toThrow(/captions\.csv\.gz cannot be unpacked with gzip/);
  });

  test('are not a metadata.json of something else', async () => {
    const folder = await folderWith({ 'a.png': png, 'a.txt': 'a', 'metadata.json': '{"name": "my pictures"}' });
    expect(await read(folder)).toMatchObject({ samples: { 'a.png': ['a'] }, omitted: {} });
  });

  test('are read from Parquet, as pandas writes it', async () => {
    const fixture = new URL('./fixtures/metadata.parquet', import.meta.url);
    const { readFile } = await import('node:fs/promises');
    const folder = await folderWith({ 'a.png': png, 'b.png': png, 'metadata.parquet': await readFile(fixture) });
    expect((await read(folder)).samples).toEqual({ 'a.png': ['a cat', 'a kitten'], 'b.png': ['a dog'] });
    await write(folder, { 'metadata.parquet': 'PAR1 and more text' });
    await expect(openImageFolder(folder, options)).rejects.toThrow(
      /metadata\.parquet is not a Parquet file, or damaged/,
    );
  });

  test.each(['../out.png', '/etc/out.png', 'C:\\\\out.png', 'a/../../out.png'])(
    'may name %s, which is left out, because it is outside the folder',
    async (name) => {
      const line = (file: string, text: string) => `{"file_name": "${file}", "text": "${text}"}\n`;
      const folder = await folderWith({
        'set/a.png': png,
        'out.png': png,
        'set/metadata.jsonl': line('a.png', 'a') + line(name, 'b'),
      });
      const expected = { samples: { 'a.png': ['a'] }, omitted: { 'metadata.jsonl, line 2': 'outside' } };
      expect(await read(join(folder, 'set'))).toMatchObject(expected);
      await expect(openImageFolder(join(folder, 'set'), { ...options, onError: 'fail' })).rejects.toThrow(
        /metadata\.jsonl, line 2 must be a path inside the folder, not/,
      );
    },
  );

  test('that cannot be read are left out, and the others are not', async () => {
    const folder = await folderWith({
      'train/a.png': png,
      'train/metadata.csv': 'file_name,text\na.png,a\n',
      'test/b.png': png,
      'test/metadata.csv': 'id,class\n1,2\n',
      'val/c.png': png,
      'val/captions.json': '{"c.png": ',
    });
    expect(await read(folder)).toMatchObject({
      samples: { 'train/a.png': ['a'] },
      omitted: {
        'test/metadata.csv': 'unreadable-list',
        'val/captions.json': 'unreadable-list',
        'test/b.png': 'no-caption',
        'val/c.png': 'no-caption',
      },
    });
  });

  test('are read in every split, with names relative to the list', async () => {
    const folder = await folderWith({
      'train/a.png': png,
      'train/metadata.jsonl': '{"file_name": "a.png", "text": "of a"}',
      'test/images/b.png': png,
      'test/metadata.csv': 'file_name,text\nimages/b.png,of b\n',
      'more/c.png': png,
      'more/c.txt': 'of c',
    });
    expect(await read(folder)).toEqual({
      samples: { 'test/images/b.png': ['of b'], 'train/a.png': ['of a'], 'more/c.png': ['of c'] },
      omitted: {},
      notes: [],
    });
  });

  test('name images by the last part of their path if that is clear', async () => {
    const folder = await folderWith({
      'Images/a.png': png,
      'Images/x/b.png': png,
      'Images/y/b.png': png,
      'captions.txt': 'image,caption\na.png,of a\nb.png,of b\n',
    });
    expect(await read(folder)).toEqual({
      samples: { 'Images/a.png': ['of a'] },
      omitted: { 'b.png': 'missing-file', 'Images/x/b.png': 'not-listed', 'Images/y/b.png': 'not-listed' },
      notes: [],
    });
  });

  test('join several lines of one image', async () => {
    const folder = await folderWith({
      'a.png': png,
      'b.png': png,
      'metadata.csv': 'file_name,text\na.png,first\nb.png,other\n./a.png,second\na.png,first\na.png,\n',
    });
    expect(await read(folder)).toMatchObject({
      samples: { 'a.png': ['first', 'second'], 'b.png': ['other'] },
      omitted: {},
    });
  });

  test('may have several captions in a line', async () => {
    const folder = await folderWith({
      'a.png': png,
      'metadata.csv': 'file_name,caption_0,caption_1\na.png,first,second\n',
    });
    expect((await read(folder)).samples).toEqual({ 'a.png': ['first', 'second'] });
  });

  test('tell every line that is no sample', async () => {
    const folder = await folderWith({
      'a.png': png,
      'b.png': png,
      'c.png': png,
      'd.heic': 'x',
      'metadata.jsonl': [
        '{"file_name": "a.png", "text": "a"}',
        '{"file_name": "b.png", "text": " "}',
        '{"file_name": "gone.png", "text": "x"}',
        '{"file_name": "a.png", "te',
        '{"file_name": "d.heic", "text": "x"}',
        '{"file_name": 7, "text": "x"}',
      ].join('\n'),
    });
    const { samples, omitted } = await read(folder);
    expect(samples).toEqual({ 'a.png': ['a'] });
    expect(omitted).toEqual({
      'b.png': 'empty-caption',
      'gone.png': 'missing-file',
      'metadata.jsonl, line 4': 'bad-line',
      'd.heic': 'unsupported-format',
      'metadata.jsonl, line 6': 'bad-line',
      'c.png': 'not-listed',
    });
  });

  test('must have columns of file names and captions', async () => {
    const folder = await folderWith({ 'a.png': png, 'metadata.csv': 'id,score\na.png,1\n' });
    await expect(openImageFolder(folder, options)).rejects.toThrow(
      /metadata\.csv must have a column of file names .* and one of captions .*; its columns are "id", "score"\./,
    );
    const two = await folderWith({ 'a.png': png, 'x.csv': 'file,text\na.png,x\n', 'y.csv': 'file,text\na.png,y\n' });
    await expect(openImageFolder(two, options)).rejects.toThrow(/several lists of images, such as x\.csv and y\.csv/);
    const loose = await folderWith({ 'a.png': png, 'metadata.csv': 'file_name,text\na.png,a cat, sitting\n' });
    await expect(openImageFolder(loose, options)).rejects.toThrow(/line 2 has 3 fields instead of 2\. Put quotes/);
  });

  test('of something else are not read', async () => {
    const folder = await folderWith({ 'a.png': png, 'a.txt': 'a', 'scores.csv': 'file,text\na.png,x\n' });
    expect((await read(folder)).samples).toEqual({ 'a.png': ['a'] });
  });
});

describe('captions from file names', () => {
  test.each([
    ['red_apple.png', 'red apple'],
    ['fruit/red-apple-2.JPG', 'red apple'],
    ['redApple (1).png', 'red Apple'],
    ['a cat on a mat.jpeg', 'a cat on a mat'],
    ['apple2 copy.webp', 'apple'],
    ['pommes_vertes_été.png', 'pommes vertes été'],
    ['赤いりんご.png', '赤いりんご'],
    ['2021-05-06 birthday cake.png', 'birthday cake'],
    ['IMG_0042.jpg', undefined],
    ['DSCN1234.JPG', undefined],
    ['P1010042.jpg', undefined],
    ['20210506_101112.jpg', undefined],
    ['Screenshot 2021-05-06 at 10.11.12.png', undefined],
    ['3fa85f64-5717-4562.png', undefined],
    ['copy.png', undefined],
  ])('are the words of the name: %s', (name, caption) => {
    expect(captionFromName(name)).toBe(caption);
  });

  test('are for images without a caption, on request, and noted', async () => {
    const folder = await folderWith({
      'green_pear.png': png,
      'a.png': png,
      'a.txt': 'an apple',
      'IMG_0042.png': png,
    });
    const asked = await openImageFolder(folder, { ...options, captions: 'file-names' });
    const samples = await Promise.all([0, 1].map((index) => asked.get(index)));
    expect(samples.map(({ key, captions }) => [key, captions])).toEqual([
      ['a.png', ['an apple']],
      ['green_pear.png', ['green pear']],
    ]);
    expect(asked.report.notes).toEqual(['Captions from file names: 1, such as "green pear" from green_pear.png.']);
    expect(asked.report.omissions).toMatchObject([
      { key: 'IMG_0042.png', reason: 'no-caption', message: expect.stringContaining('its name describes nothing') },
    ]);
    const { report } = await openImageFolder(folder, { ...options, onReport: () => undefined });
    expect(report.omissions.map(({ key }) => key)).toEqual(['IMG_0042.png', 'green_pear.png']);
    expect(report.omissions[1]!.message).toContain('or set captions to file-names.');
  });
});

test('a summary has the notes', async () => {
  const folder = await folderWith({ 'a.png': png, 'a.txt': 'a', 'run/metrics.jsonl': '' });
  const { report } = await openImageFolder(folder, options);
  expect(summarizeReport(report)).toBe(`All 1 samples in ${folder} can be used.\n${join(folder, 'run')} is left out.`);
});

test.skipIf(process.platform === 'win32')('a pipe below the folder is not opened', async () => {
  const folder = await folderWith({ 'a.png': png, 'a.txt': 'a' });
  execFileSync('mkfifo', [join(folder, 'b.png')]);
  expect((await read(folder)).omitted).toEqual({ 'b.png': 'not-a-file' });
});
