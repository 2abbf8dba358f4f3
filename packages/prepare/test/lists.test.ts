import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { describe, expect, it } from 'vitest';
import { captionCleaner, captionFilter, captionOfPhoto, unquotePlus } from '../src/captions/clean.js';
import { readRows } from '../src/lists/read-rows.js';
import { planRows } from '../src/plan.js';
import type { ListSettings } from '../src/settings.js';

async function rowsOf(name: string, content: string | Uint8Array, settings: Partial<ListSettings> = {}) {
  const path = join(await temporaryFolder(), name);
  await writeFile(path, content);
  const rows = [];
  for await (const batch of readRows({ lists: [path], ...settings })) rows.push(...batch);
  return rows.map((row) => ('place' in row ? `${row.problem}: ${row.place.replace(path, name)} ${row.message}` : row));
}

const cat = { url: 'http://a.example/cat.jpg', caption: 'a "small" cat', columns: {} };
const dog = { url: 'https://b.example/dog.jpg?x=1', caption: 'a dog', columns: {} };

describe('reading lists', () => {
  it('reads the presets of Conceptual Captions', async () => {
    const cc3m = `${cat.caption}\t${cat.url}\n${dog.caption}\t${dog.url}\n`;
    expect(await rowsOf('train.tsv', cc3m, { preset: 'cc3m' })).toEqual([cat, dog]);
    const cc12m = `${cat.url}\t${cat.caption}\r\n${dog.url}\t${dog.caption}`;
    expect(await rowsOf('cc12m.txt', cc12m, { preset: 'cc12m' })).toEqual([cat, dog]);
    expect(await rowsOf('cc12m.tsv.gz', gzipSync(cc12m), { preset: 'cc12m' })).toEqual([cat, dog]);
  });

  it('reads columns by name from CSV, with quotes and line breaks', async () => {
    const csv = `\ufeffid,Text,link\n1,"a ""small""\n cat",${cat.url}\n2,a dog,${dog.url}\n`;
    const rows = await rowsOf('list.csv', csv, { url: 'link', caption: 'text', columns: ['id'] });
    expect(rows).toEqual([
      { ...cat, columns: { id: '1' } },
      { ...dog, columns: { id: '2' } },
    ]);
  });

  it('reads JSON lines, and keeps the types of columns', async () => {
    const lines = [
      { url: cat.url, caption: cat.caption, score: 0.5, tags: ['x'] },
      { url: dog.url, caption: dog.caption, score: null },
    ];
    const rows = await rowsOf('list.jsonl', lines.map((line) => JSON.stringify(line)).join('\n'), {
      columns: ['score', 'tags'],
    });
    expect(rows).toEqual([
      { ...cat, columns: { score: 0.5, tags: '["x"]' } },
      { ...dog, columns: { score: null, tags: null } },
    ]);
  });

  it('reads the Parquet files of LAION', async () => {
    const columnData = [
      { name: 'SAMPLE_ID', data: [1n, 2n] },
      { name: 'URL', data: [cat.url, dog.url] },
      { name: 'TEXT', data: [cat.caption, dog.caption] },
      { name: 'similarity', data: [0.25, 0.5] },
    ];
    const parquet = new Uint8Array(parquetWriteBuffer({ columnData, rowGroupSize: 1 }));
    const rows = await rowsOf('part.parquet', parquet, { preset: 'laion', columns: ['SAMPLE_ID', 'similarity'] });
    expect(rows).toEqual([
      { ...cat, columns: { SAMPLE_ID: 1, similarity: 0.25 } },
      { ...dog, columns: { SAMPLE_ID: 2, similarity: 0.5 } },
    ]);
  });

  it('reads several lists in order, by a pattern', async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'a-0.tsv'), `${cat.url}\t${cat.caption}\n`);
    await writeFile(join(folder, 'a-1.tsv'), `${dog.url}\t${dog.caption}\n`);
    const rows = [];
    for await (const batch of readRows({ preset: 'cc12m', lists: [join(folder, 'a-{0..1}.tsv')] })) rows.push(...batch);
    expect(rows).toEqual([cat, dog]);
  });

  it('reports rows that cannot be used, with their line', async () => {
    const lines = ['no tab', 'ftp://a.example/x\ta cat', `${cat.url}\t `, '', `${dog.url}\ta dog`, 'http://%\ta cat'];
    expect(await rowsOf('list.tsv', lines.join('\n'), { preset: 'cc12m' })).toEqual([
      'fields: list.tsv, row 1 must have at least 2 fields, not 1',
      'url: list.tsv, row 2 must have an http or https URL, not "ftp://a.example/x"',
      'caption-missing: list.tsv, row 3 must have a caption',
      dog,
      'url: list.tsv, row 6 must have an http or https URL, not "http://%"',
    ]);
    expect(await rowsOf('list.jsonl', '[1\n{"url":1,"caption":"a"}')).toEqual([
      'json: list.jsonl, row 1 must be a JSON object, not "[1"',
      'url: list.jsonl, row 2 must have an http or https URL, not "1"',
    ]);
  });

  it('refuses lists without the columns, of other formats, or truncated', async () => {
    await expect(rowsOf('a.csv', 'link,text\nx,y\n')).rejects.toThrow(
      /must have the column "url"; its columns are "link", "text"/,
    );
    await expect(rowsOf('a.csv', 'x,y\n', { header: false })).rejects.toThrow(/must be numbers from 0, not "url"/);
    await expect(rowsOf('a.xls', 'x')).rejects.toThrow(/must end in .csv, .tsv, .jsonl or .parquet/);
    await expect(rowsOf('a.parquet', 'x')).rejects.toThrow(/a.parquet is not a Parquet file, or damaged/);
    await expect(rowsOf('a.tsv.gz', gzipSync('x\n'.repeat(99)).subarray(0, -4), { preset: 'cc3m' })).rejects.toThrow(
      /a.tsv.gz is truncated or damaged/,
    );
  });

  it('reads no more rows than the limit', async () => {
    const lines = `${cat.url}\ta\n`.repeat(10);
    expect(await rowsOf('a.tsv', lines, { preset: 'cc12m', limit: 3 })).toHaveLength(3);
  });
});

describe('the subset of YFCC100M', () => {
  const photo = (line: number, hash: string, title: string, description: string) => {
    const fields = Array.from({ length: 25 }, (_, i) => `field${i}`);
    return Object.assign(fields, { 0: String(line), 1: `id${line}`, 2: hash, 8: title, 9: description }).join('\t');
  };

  it('joins the subset with the metadata, and cleans captions as those of DALL·E Mini', async () => {
    const folder = await temporaryFolder();
    const metadata = join(folder, 'yfcc100m_dataset.txt');
    const subset = join(folder, 'subset.tsv');
    await writeFile(
      metadata,
      [
        photo(0, 'aaa', 'not+wanted', ''),
        photo(1, 'abcdef01', 'My+%3Cb%3Ecat%3C%2Fb%3E', 'On%0Aa++tree%21'),
        photo(2, 'bcd', '', ''),
        photo(3, 'cde012', 'Why%3F', 'It+is+caf%C3%A9'),
      ].join('\n'),
    );
    await writeFile(subset, '3\tid3\tcde012\n1\tid1\tabcdef01\n2\tid2\tbcd\n7\tid7\txyz\n');
    const rows = [];
    const settings: ListSettings = { preset: 'yfcc100m-subset', lists: [subset], metadata };
    for await (const batch of readRows(settings)) rows.push(...batch);
    expect(rows).toMatchObject([
      {
        url: 'https://multimedia-commons.s3-us-west-2.amazonaws.com/data/images/abc/def/abcdef01.jpg',
        caption: 'My cat. On a tree!',
        columns: { photo_id: 'id1', title: 'My cat', license_name: 'field17' },
      },
      { problem: 'caption-missing' },
      { caption: 'Why? It is café' },
      { problem: 'metadata-missing', message: expect.stringContaining('1 of 4 photos are not') },
    ]);
  });

  it('decodes as unquote_plus of Python does', () => {
    expect(unquotePlus('a+b%20c%2Bd')).toBe('a b c+d');
    expect(unquotePlus('100% of %zz%E2%82%AC')).toBe('100% of %zz€');
  });

  it('ends a title with a full stop, if it has no end', () => {
    expect(captionOfPhoto('Cat', 'on a tree')).toBe('Cat. on a tree');
    expect(captionOfPhoto('Cat!', '')).toBe('Cat!');
    expect(captionOfPhoto('', 'on a tree')).toBe('on a tree');
  });
});

it('leaves out captions in other languages, unless the language cannot be told', async () => {
  const filter = await captionFilter({ languages: ['en', 'de'] });
  const kept = ['a red apple on a wooden table', 'ein roter Apfel auf dem Tisch', 'IMG_2031'];
  expect(kept.map(filter)).toEqual([undefined, undefined, undefined]);
  expect(filter('coucher de soleil à la plage')).toEqual({
    problem: 'caption-language',
    message: 'must have a caption in en or de, not in fr: "coucher de soleil à la plage"',
  });
});

it('cleans and filters captions by option', async () => {
  expect(captionCleaner({})(' a \n cat ')).toBe('a cat');
  expect(captionCleaner({ collapseSpaces: false })(' a  cat')).toBe(' a  cat');
  expect(captionCleaner({ removeHtml: true })('a <b>cat</b> < dog')).toBe('a cat < dog');
  const filter = await captionFilter({ minLength: 3, maxLength: 10, refuse: '\\.jpe?g$' });
  expect(filter('a cat')).toBeUndefined();
  expect(filter('ab')?.problem).toBe('caption-too-short');
  expect(filter('a much longer one')?.problem).toBe('caption-too-long');
  expect(filter('IMG_1.JPG')?.problem).toBe('caption-refused');
});

it('counts rows that cannot be used, with the first of each problem', async () => {
  const path = join(await temporaryFolder(), 'list.tsv');
  await writeFile(path, `x\ta\n${cat.url}\ta\n${cat.url}\t\ny\ta\n`);
  const plan = await planRows({ preset: 'cc12m', lists: [path] }, { fingerprint: 'f', shardSize: 2 });
  expect(plan).toEqual({
    fingerprint: 'f',
    shardSize: 2,
    rows: 1,
    problems: [
      { problem: 'url', count: 2, example: `${path}, row 1 must have an http or https URL, not "x"` },
      { problem: 'caption-missing', count: 1, example: `${path}, row 3 must have a caption` },
    ],
  });
});
