import { execFileSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { OptionError } from '@dalle-mini/core';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { describe, expect, test } from 'vitest';
import { openImageFolder } from '../src/sources/image-folder.js';
import { pixelAt, twoColoredPng } from './pictures.js';

const options = { imageSize: 8 };
const red = [255, 0, 0] as const;
const green = [0, 255, 0] as const;

async function folderWith(files: Record<string, string | Uint8Array>): Promise<string> {
  const folder = await temporaryFolder();
  for (const [name, content] of Object.entries(files)) {
    await mkdir(join(folder, name, '..'), { recursive: true });
    await writeFile(join(folder, name), content);
  }
  return folder;
}

describe('openImageFolder', () => {
  test('reads images next to text files, in order of their paths', async () => {
    const folder = await folderWith({
      'b.png': await twoColoredPng(8, 8, red, red),
      'b.txt': 'a red square\r\n\r\nsomething red\n',
      'a/c.PNG': await twoColoredPng(16, 8, green, green),
      'a/c.txt': 'a green square',
      'notes.md': 'not an image',
    });
    const dataset = await openImageFolder(folder, options);
    expect(dataset.length).toBe(2);
    const [first, second] = [await dataset.get(0), await dataset.get(1)];
    expect([first.key, first.captions]).toEqual(['a/c.PNG', ['a green square']]);
    expect([second.key, second.captions]).toEqual(['b.png', ['a red square', 'something red']]);
    expect(pixelAt(second.image, 4, 4)).toEqual(red);
    expect([first.image.width, first.image.height]).toEqual([8, 8]);
  });

  test('reads metadata.jsonl as Hugging Face writes it', async () => {
    const png = await twoColoredPng(8, 8, red, red);
    const folder = await folderWith({
      'train/1.png': png,
      'train/2.png': png,
      'metadata.jsonl':
        '{"file_name": "train/2.png", "text": "two"}\n{"file_name": "train/1.png", "captions": ["one", "uno"]}\n',
    });
    const dataset = await openImageFolder(folder, options);
    expect((await dataset.get(0)).captions).toEqual(['two']);
    expect((await dataset.get(1)).captions).toEqual(['one', 'uno']);
  });

  test('reads captions.json', async () => {
    const png = await twoColoredPng(8, 8, red, red);
    const folder = await folderWith({
      '1.png': png,
      '2.png': png,
      'captions.json': '{"2.png": "two", "1.png": ["one", "uno"]}',
    });
    const dataset = await openImageFolder(folder, options);
    expect((await dataset.get(0)).captions).toEqual(['two']);
    expect((await dataset.get(1)).captions).toEqual(['one', 'uno']);
  });

  test('gives one crop per variation, always the same', async () => {
    const folder = await folderWith({ 'a.png': await twoColoredPng(80, 8, red, green), 'a.txt': 'two colors' });
    const dataset = await openImageFolder(folder, { imageSize: 8, crop: 'random' });
    const views = await Promise.all(Array.from({ length: 12 }, (_, variation) => dataset.get(0, variation)));
    expect(new Set(views.map((view) => pixelAt(view.image, 0, 0).join())).size).toBe(2);
    expect(await dataset.get(0, 3)).toEqual(views[3]);
  });

  test('refuses a folder that is missing, empty or without captions, and says what to do', async () => {
    const empty = await temporaryFolder();
    await expect(openImageFolder(join(empty, 'none'), options)).rejects.toThrow(
      /none: there is no such file. Check the path/,
    );
    await expect(openImageFolder(empty, options)).rejects.toThrow('has no images. Add files that end in .jpg');
    const bare = await folderWith({ 'a.png': await twoColoredPng(8, 8, red, red) });
    await expect(openImageFolder(bare, options)).rejects.toThrow(
      /^1 of 1 samples in .* cannot be used:\n- 1 × no caption, such as: .*a\.png has no caption\. Write it into a\.txt/,
    );
    const blank = await folderWith({ 'a.png': await twoColoredPng(8, 8, red, red), 'a.txt': '\n' });
    await expect(openImageFolder(blank, options)).rejects.toThrow(/a\.txt has no caption/);
  });

  test.each(['../secret.png', '/etc/passwd', 'a/../../secret.png', '..\\secret.png', 'C:\\secret.png'])(
    'refuses the listed name %s, which is outside the folder',
    async (name) => {
      const line = JSON.stringify({ file_name: name, text: 'x' });
      await expect(openImageFolder(await folderWith({ 'metadata.jsonl': line }), options)).rejects.toThrow(
        /A file name in .*metadata\.jsonl, line 1 must be a path inside the folder, not ".*"\. List only/,
      );
      const listed = await folderWith({ 'captions.json': JSON.stringify({ [name]: 'x' }) });
      await expect(openImageFolder(listed, options)).rejects.toThrow(/captions\.json must be a path inside the folder/);
    },
  );

  test('refuses a file in place of the folder', async () => {
    const folder = await folderWith({ 'a.tar': 'x' });
    await expect(openImageFolder(join(folder, 'a.tar'), options)).rejects.toThrow(
      /a\.tar: it is a file, not a folder\. .* open an archive as a WebDataset\./,
    );
  });

  test('names the line that is damaged or lists a missing file', async () => {
    const damaged = await folderWith({ 'metadata.jsonl': '\n{"file_name": ' });
    await expect(openImageFolder(damaged, options)).rejects.toThrow(
      /metadata\.jsonl, line 2: the text must be JSON, and is not/,
    );
    const absent = await folderWith({ 'metadata.jsonl': '{"file_name": "a.png", "text": "x"}' });
    await expect(openImageFolder(absent, options)).rejects.toThrow(
      /must be that of a file in the folder, not "a\.png"/,
    );
  });

  test.each(['null', '7', '"a.png"', '[["a.png"]]', '{}', '{"file_name": null}', '{"file_name": ["a.png"]}'])(
    'refuses the line %s of metadata.jsonl',
    async (line) => {
      const folder = await folderWith({ 'a.png': 'x', 'metadata.jsonl': `\n${line}` });
      await expect(openImageFolder(folder, options)).rejects.toThrow(
        /metadata\.jsonl, line 2: (the text|file_name) .*must be a .*\. Write a line such as|line 2: file_name is missing\. Write a line/,
      );
    },
  );

  test.each(['null', '7', '"a.png"', '[["a.png"]]'])('refuses %s as captions.json', async (content) => {
    const folder = await folderWith({ 'a.png': 'x', 'captions.json': content });
    await expect(openImageFolder(folder, options)).rejects.toThrow(
      /captions\.json: the text must be a JSON object, not .*\. Write an object such as/,
    );
  });

  test.each(['null', '7', '{}', '[]', '[[["x"]]]', '["x", null]', '" "'])(
    'refuses the captions %s',
    async (captions) => {
      const listed = await folderWith({ 'a.png': 'x', 'captions.json': `{"a.png": ${captions}}` });
      await expect(openImageFolder(listed, options)).rejects.toThrow(/captions\.json has no caption for a\.png/);
      const lined = await folderWith({ 'a.png': 'x', 'metadata.jsonl': `{"file_name": "a.png", "text": ${captions}}` });
      await expect(openImageFolder(lined, options)).rejects.toThrow(/line 1 has no caption for a\.png/);
    },
  );

  test('keeps errors short for long and deeply nested lists', async () => {
    const deep = '['.repeat(100_000) + ']'.repeat(100_000);
    for (const name of [deep, `"${'x'.repeat(100_000)}"`, `"../${'x'.repeat(100_000)}"`]) {
      const folder = await folderWith({ 'metadata.jsonl': `{"file_name": ${name}, "text": "x"}` });
      const error = (await openImageFolder(folder, options).catch((reason: Error) => reason)) as Error;
      expect(error.message).toMatch(/metadata\.jsonl, line 1.* must be /);
      expect(error.message.length).toBeLessThan(400);
    }
  });

  test('reads lists that begin with a byte order mark', async () => {
    const png = await twoColoredPng(8, 8, red, red);
    const lists = {
      'captions.json': '{"a.png": "x"}',
      'metadata.jsonl': '{"file_name": "a.png", "text": "x"}',
      'a.txt': 'x',
    };
    for (const [name, content] of Object.entries(lists)) {
      const dataset = await openImageFolder(await folderWith({ 'a.png': png, [name]: `\uFEFF${content}` }), options);
      expect((await dataset.get(0)).captions, name).toEqual(['x']);
    }
  });

  test.skipIf(process.platform === 'win32')('does not wait for pipes with the names of files', async () => {
    const folder = await folderWith({ 'b.png': 'x' });
    for (const name of ['a.png', 'a.txt', 'b.txt', 'captions.json']) {
      execFileSync('mkfifo', [join(folder, name)]);
    }
    await expect(openImageFolder(folder, options)).rejects.toThrow(
      /a\.png is a pipe, a socket or a device, not a file/,
    );
    await writeFile(join(folder, 'c.jpg'), await twoColoredPng(8, 8, red, red));
    await writeFile(join(folder, 'metadata.jsonl'), '{"file_name": "c.jpg", "text": "red"}\n{"file_name": "a.png"}');
    const dataset = await openImageFolder(folder, { ...options, onReport: () => undefined });
    expect([dataset.length, (await dataset.get(0)).captions]).toEqual([1, ['red']]);
    expect(dataset.report.omissions.map(({ key, reason }) => [key, reason])).toEqual([
      ['a.png', 'not-a-file'],
      ['a.txt', 'not-a-file'],
      ['b.txt', 'not-a-file'],
      ['captions.json', 'not-a-file'],
      ['b.png', 'not-listed'],
    ]);
  });

  test('names a corrupt image, and refuses an index out of range', async () => {
    const folder = await folderWith({ 'a.png': 'not a picture', 'a.txt': 'x' });
    await expect(openImageFolder(folder, options)).rejects.toThrow(/Cannot decode the image .*a\.png/);
    const dataset = await openImageFolder(folder, { ...options, scan: false });
    await expect(dataset.get(0)).rejects.toThrow(/Cannot decode the image .*a\.png/);
    await expect(dataset.get(1)).rejects.toThrow(OptionError);
  });
});
