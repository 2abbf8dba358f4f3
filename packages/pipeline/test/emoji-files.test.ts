import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { files } from '@dalle-mini/emoji';
import { expect, test } from 'vitest';

test('the bundled model lists all of its files, with their sizes and checksums', () => {
  const folder = fileURLToPath(new URL('../../emoji/model/', import.meta.url));
  const names = (readdirSync(folder, { recursive: true }) as string[]).filter((name) => /\.\w+$/.test(name));
  expect(files.map(({ name }) => name)).toEqual(names.map((name) => name.replaceAll('\\', '/')).sort());
  for (const { name, url, size, sha256 } of files) {
    const content = readFileSync(url);
    expect(url.pathname.endsWith(`/emoji/model/${name}`)).toBe(true);
    expect({ name, size, sha256 }).toEqual({
      name,
      size: content.byteLength,
      // If this differs, run "node scripts/emoji-files.mjs".
      sha256: createHash('sha256')
        .update(readFileSync(join(folder, name)))
        .digest('hex'),
    });
  }
});
