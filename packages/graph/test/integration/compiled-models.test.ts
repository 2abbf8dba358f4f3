import { appendFileSync, cpSync, mkdtempSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { compute, emptyCache, keptIn, temporary } from '../compiled.js';

test('a cache of compiled models compiles again if the emitting code or the release changes', async () => {
  const cache = emptyCache();
  await compute(cache, 1);
  const package_ = mkdtempSync(join(temporary, 'package-'));
  cpSync(fileURLToPath(new URL('../../dist', import.meta.url)), join(package_, 'dist'), { recursive: true });
  symlinkSync(
    fileURLToPath(new URL('../../../../node_modules', import.meta.url)),
    join(package_, 'node_modules'),
    'junction',
  );
  const description = join(package_, 'package.json');
  cpSync(fileURLToPath(new URL('../../package.json', import.meta.url)), description);
  const { OnnxRuntime: Copy } = (await import(
    pathToFileURL(join(package_, 'dist/runtimes/onnxruntime.js')).href
  )) as typeof import('@dalle-mini/graph/onnxruntime');
  expect(await compute(cache, 1, 1, Copy)).toBe(32);
  expect(keptIn(cache)).toHaveLength(1);
  // The only file that contains the ONNX operators' names.
  const emitting = readdirSync(join(package_, 'dist'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.js'))
    .map((name) => join(package_, 'dist', name))
    .filter((path) => readFileSync(path, 'utf8').includes('LayerNormalization'));
  expect(emitting).toHaveLength(1);
  appendFileSync(emitting[0]!, '// Another version.');
  expect(await compute(cache, 1, 1, Copy)).toBe(32);
  expect(keptIn(cache)).toHaveLength(2);
  writeFileSync(description, readFileSync(description, 'utf8').replace(/"version": "[^"]*"/, '"version": "999.0.0"'));
  expect(await compute(cache, 1, 1, Copy)).toBe(32);
  expect(keptIn(cache)).toHaveLength(3);
});
