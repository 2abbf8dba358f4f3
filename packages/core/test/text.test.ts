import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decodeText, EncodingError } from '@dalle-mini/core';
import { readJsonFile } from '@dalle-mini/core/node';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { describe, expect, test } from 'vitest';

const utf16 = (text: string, bigEndian = false) => {
  const bytes = Buffer.from(text, 'utf16le');
  return bigEndian ? bytes.swap16() : bytes;
};

describe('decodeText', () => {
  test.each([
    ['UTF-8', Buffer.from('a café 🐈')],
    ['UTF-8 with a byte order mark', Buffer.from('\ufeffa café 🐈')],
    ['UTF-16LE with a byte order mark', utf16('\ufeffa café 🐈')],
    ['UTF-16BE with a byte order mark', utf16('\ufeffa café 🐈', true)],
    ['UTF-16LE', utf16('a café 🐈')],
    ['UTF-16BE', utf16('a café 🐈', true)],
  ])('reads %s', (_, bytes) => {
    expect(decodeText(bytes, 'a.txt')).toBe('a café 🐈');
    // The encoding is only for texts that are neither.
    expect(decodeText(bytes, 'a.txt', 'windows-1252')).toBe('a café 🐈');
  });

  test('reads an empty text', () => {
    expect(decodeText(new Uint8Array(), 'a.txt')).toBe('');
  });

  test('refuses other bytes by line, and reads them with their encoding', () => {
    const bytes = Buffer.from('a cat\na caf\xe9\n', 'latin1');
    expect(() => decodeText(bytes, 'a.txt')).toThrow(
      'a.txt, line 2 is not valid UTF-8. Save the text as UTF-8, or set its encoding, such as windows-1252.',
    );
    expect(decodeText(bytes, 'a.txt', 'latin1')).toBe('a cat\na café\n');
    expect(decodeText(Buffer.from('83568387', 'hex'), 'a.txt', 'shift_jis')).toBe('ショ');
    const japanese = Buffer.from('1b244224221b2842', 'hex');
    expect(decodeText(japanese, 'a.txt', 'iso-2022-jp')).toBe('あ');
    expect(() => decodeText(bytes, 'a.txt', 'shift_jis')).toThrow(
      'a.txt, line 2 is neither UTF-8 nor SHIFT_JIS. Save the text as UTF-8, or set another encoding.',
    );
  });

  test('counts lines where a character before is a replacement character', () => {
    const bytes = Buffer.concat([Buffer.from('\ufffd\n\n'), Buffer.from([0xe9])]);
    expect(() => decodeText(bytes, 'a.txt')).toThrow(/line 3 /);
  });

  test('refuses NUL characters, damaged UTF-16 and UTF-32', () => {
    expect(() => decodeText(Buffer.from('a\nb\0c and more text'), 'a.txt')).toThrow(
      'a.txt, line 2 has a NUL character',
    );
    expect(() => decodeText(Buffer.from([0xff, 0xfe, 0x61, 0, 0x62]), 'a.txt')).toThrow(
      'a.txt, line 1 is not valid UTF-16LE.',
    );
    expect(() => decodeText(Buffer.from('fffe00006100000062000000', 'hex'), 'a.txt')).toThrow(
      'a.txt, line 1 is UTF-32.',
    );
  });
});

test('JSON files may be in UTF-16, and one of another encoding is named', async () => {
  const path = join(await temporaryFolder(), 'settings.json');
  await writeFile(path, utf16('\ufeff{"name": "café"}'));
  expect(await readJsonFile(path)).toEqual({ name: 'café' });
  await writeFile(path, '{"name":\n "caf\xe9"}', 'latin1');
  const error: unknown = await readJsonFile(path).catch((reason: unknown) => reason);
  expect(EncodingError.isInstance(error) && [error.source, error.line]).toEqual([path, 2]);
});
