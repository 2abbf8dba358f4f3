import { execFileSync } from 'node:child_process';
import { mkdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { describe, expect, test } from 'vitest';
import { openWebDataset } from '../src/sources/web-dataset.js';
import { pixelAt, twoColoredPng } from './pictures.js';
import { tarWith } from './tar.js';

const options = { imageSize: 8 };
const red = [255, 0, 0] as const;
const green = [0, 255, 0] as const;

const redPng = await twoColoredPng(8, 8, red, red);
const greenPng = await twoColoredPng(8, 8, green, green);

describe('openWebDataset', () => {
  test('reads samples in any order from several shards', async () => {
    const folder = await temporaryFolder();
    await tarWith(
      [
        ['000.png', redPng],
        ['000.txt', 'red\nall red'],
        ['000.json', '{"width": 8}'],
        ['sub/001.jpg', greenPng],
        ['sub/001.json', '{"caption": "green", "width": 8}'],
        ['readme.md', 'about this shard'],
      ],
      folder,
    );
    await tarWith(
      [
        ['000.webp', greenPng],
        ['000.cls', '3'],
        ['000.txt', 'green too'],
      ],
      folder,
      'shard-1.tar',
    );
    const dataset = await openWebDataset(folder, options);
    expect(dataset.length).toBe(3);
    const samples = [await dataset.get(2), await dataset.get(0), await dataset.get(1)];
    expect(samples.map(({ key, captions }) => [key, captions])).toEqual([
      ['shard-1/000', ['green too']],
      ['shard-0/000', ['red', 'all red']],
      ['shard-0/sub/001', ['green']],
    ]);
    expect(samples.map(({ image }) => pixelAt(image, 3, 3))).toEqual([green, red, green]);
  });

  test('reads long names in pax headers and in the ustar prefix', async () => {
    const long = `${'folder-with-a-long-name/'.repeat(8)}naïve-picture`;
    const prefixed = `${'p'.repeat(90)}/${'n'.repeat(80)}`;
    const path = await tarWith([
      [`${long}.png`, redPng],
      [`${long}.txt`, 'red'],
      [`${prefixed}.png`, redPng],
      [`${prefixed}.txt`, 'red'],
    ]);
    const dataset = await openWebDataset(path, options);
    expect([(await dataset.get(0)).key, (await dataset.get(1)).key]).toEqual([
      `shard-0/${long}`,
      `shard-0/${prefixed}`,
    ]);
  });

  test('reads long names and base-256 sizes of GNU tar', async () => {
    const long = `${'gnu/'.repeat(40)}picture`;
    const block = (name: string, type: string, content: Uint8Array, base256 = false) => {
      const bytes = Buffer.alloc(512 + Math.ceil(content.length / 512) * 512);
      bytes.write(name);
      bytes.write(content.length.toString(8).padStart(11, '0'), 124);
      if (base256) bytes.fill(0, 124, 136).writeUInt32BE(content.length, 132);
      if (base256) bytes[124] = 0x80;
      bytes.write('        ', 148);
      bytes.write(type, 156);
      bytes.write('ustar  \0', 257);
      const sum = bytes.subarray(0, 512).reduce((total, byte) => total + byte, 0);
      bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
      bytes.set(content, 512);
      return bytes;
    };
    const path = join(await temporaryFolder(), 'gnu.tar');
    const parts = [
      block('././@LongLink', 'L', Buffer.from(`${long}.png\0`)),
      block(long.slice(0, 99), '0', redPng, true),
      block('././@LongLink', 'L', Buffer.from(`${long}.txt\0`)),
      block(long.slice(0, 99), '0', Buffer.from('red')),
      Buffer.alloc(1024),
    ];
    await writeFile(path, Buffer.concat(parts));
    const sample = await (await openWebDataset([path], options)).get(0);
    expect([sample.key, sample.captions, pixelAt(sample.image, 0, 0)]).toEqual([`gnu/${long}`, ['red'], red]);
  });

  test.each(['../evil', '/etc/evil', 'a/../../evil', '..\\evil', 'C:/evil'])(
    'refuses the hostile name %s',
    async (name) => {
      const path = await tarWith([
        [`${name}.png`, redPng],
        [`${name}.txt`, 'x'],
      ]);
      await expect(openWebDataset(path, options)).rejects.toThrow(/a name that leads out of its folder/);
    },
  );

  test('leaves out links and names that lead out of the folder, and reads the others', async () => {
    const path = await tarWith([
      ['../b.png', redPng],
      ['../b.txt', 'b'],
      ['a.png', redPng],
      ['a.txt', 'a'],
      ['c.png', '', { type: 'symlink', linkname: '/etc/passwd' }],
      ['c.txt', 'c'],
      ['d.png', '', { type: 'link', linkname: 'a.png' }],
    ]);
    const { length, report } = await openWebDataset(path, { ...options, onReport: () => undefined });
    expect(length).toBe(1);
    expect(Object.fromEntries(report.omissions.map(({ key, reason }) => [key, reason]))).toEqual({
      'shard-0/../b.png': 'outside',
      'shard-0/../b.txt': 'outside',
      'shard-0/c.png': 'not-a-file',
      'shard-0/c': 'no-image',
      'shard-0/d.png': 'not-a-file',
    });
    await expect(openWebDataset(path, { ...options, onError: 'fail' })).rejects.toThrow(
      /"c\.png", a link or device\. Repack it with plain files only, such as by tar --dereference/,
    );
  });

  test('refuses links', async () => {
    const path = await tarWith([['a.png', '', { type: 'symlink', linkname: '/etc/passwd' }]]);
    await expect(openWebDataset(path, options)).rejects.toThrow(/"a\.png", a link or device/);
  });

  test('refuses a truncated archive', async () => {
    const path = await tarWith([
      ['a.png', redPng],
      ['a.txt', 'red'],
    ]);
    const { size } = await stat(path);
    const afterLastMember = size - 1024;
    for (const length of [afterLastMember, afterLastMember - 512, 600, 100]) {
      await truncate(path, length);
      await expect(openWebDataset(path, options), `${length} bytes`).rejects.toThrow(
        /shard-0\.tar is truncated: .*Download or copy it again/,
      );
    }
  });

  test('refuses files that are damaged, compressed or not an archive', async () => {
    const path = await tarWith([['a.png', redPng]]);
    const bytes = await readFile(path);
    await writeFile(path, Buffer.concat([Buffer.from('28b52ffd', 'hex'), bytes]));
    await expect(openWebDataset(path, options)).rejects.toThrow(
      /compressed with Zstandard\. Decompress it with zstd -d/,
    );
    bytes[3]! ^= 1;
    await writeFile(path, bytes);
    await expect(openWebDataset(path, options)).rejects.toThrow(
      /damaged: the header at byte 0 does not match its checksum/,
    );
    await writeFile(path, Buffer.alloc(4096, 'text'));
    await expect(openWebDataset(path, options)).rejects.toThrow(/is not a tar archive/);
  });

  test.each(['size=-1', 'size=1e3', 'size=0x10', 'size=', 'size=1.5', `size=${'9'.repeat(400)}`])(
    'refuses the extended header %s',
    async (record) => {
      const path = await tarWith([
        ['a.png', redPng, { pax: { [record.split('=')[0]!]: record.split('=')[1]! } }],
        ['a.txt', 'red'],
      ]);
      await expect(openWebDataset(path, options)).rejects.toThrow(
        /shard-0\.tar is (damaged: .* gives a size|truncated)/,
      );
    },
  );

  test('refuses an extended header that is not a list of records', async () => {
    const path = await tarWith([
      ['a.png', redPng, { pax: { comment: 'as long as any' } }],
      ['a.txt', 'red'],
    ]);
    const bytes = await readFile(path);
    bytes.write('99', 512);
    await writeFile(path, bytes);
    await expect(openWebDataset(path, options)).rejects.toThrow(
      /extended header before byte 1024 is not a list of records/,
    );
  });

  test.each(['null', '7', '"red"', '[["red"]]', '{"caption": [["red"]]}', '{"caption": {}}'])(
    'refuses %s as the captions of a sample',
    async (json) => {
      const path = await tarWith([
        ['a.png', redPng],
        ['a.json', json],
      ]);
      await expect(openWebDataset(path, options)).rejects.toThrow(
        /a\.json in .*shard-0\.tar(: the text must be a JSON object| has no caption)/,
      );
    },
  );

  test('reads a .txt member as text if the path of the archive contains .json', async () => {
    const folder = join(await temporaryFolder(), 'b.json in c');
    await mkdir(folder);
    const path = await tarWith(
      [
        ['a.png', redPng],
        ['a.txt', 'red'],
      ],
      folder,
    );
    expect((await (await openWebDataset(path, options)).get(0)).captions).toEqual(['red']);
  });

  test.skipIf(process.platform === 'win32')('does not wait for a pipe with the name of an archive', async () => {
    const path = join(await temporaryFolder(), 'shard-0.tar');
    execFileSync('mkfifo', [path]);
    await expect(openWebDataset(path, options)).rejects.toThrow(/shard-0\.tar: it is a pipe or a device, not a file/);
  });

  test('leaves out a caption without an image', async () => {
    const path = await tarWith([
      ['a.txt', 'red'],
      ['b.png', redPng],
      ['b.txt', 'red'],
    ]);
    const dataset = await openWebDataset(path, options);
    expect([dataset.length, (await dataset.get(0)).key]).toEqual([1, 'shard-0/b']);
  });

  test('names the sample that lacks its image or its caption', async () => {
    const uncaptioned = await tarWith([['a.png', redPng]]);
    await expect(openWebDataset(uncaptioned, options)).rejects.toThrow(
      /a\.png but no caption for it\. Add a\.txt or a\.json/,
    );
    const imageless = await tarWith([['a.txt', 'red']]);
    await expect(openWebDataset(imageless, options)).rejects.toThrow(
      /has the caption a\.txt without an image of the same name\. Add an image such as a\.jpg, or remove the caption\./,
    );
    const silent = await tarWith([
      ['a.png', redPng],
      ['a.json', '{"width": 3}'],
    ]);
    await expect(openWebDataset(silent, options)).rejects.toThrow(/a\.json in .* has no caption/);
    const twice = await tarWith([
      ['a.png', redPng],
      ['a.png', redPng],
    ]);
    await expect(openWebDataset(twice, options)).rejects.toThrow(/has a\.png twice/);
  });

  test('refuses a missing path and a folder without tar files', async () => {
    const folder = await temporaryFolder();
    await expect(openWebDataset(folder, options)).rejects.toThrow('must have tar archives');
    await expect(openWebDataset(join(folder, 'none.tar'), options)).rejects.toThrow(/none\.tar: there is no such file/);
  });

  test('names a corrupt image', async () => {
    const path = await tarWith([
      ['a.png', 'not a picture'],
      ['a.txt', 'x'],
    ]);
    await expect(openWebDataset(path, options)).rejects.toThrow(/Cannot decode the image a\.png in .*shard-0\.tar/);
  });
});
