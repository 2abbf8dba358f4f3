import { appendFileSync, cpSync, mkdtempSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { expect, test } from 'vitest';
import { compute, emptyCache, keptIn, temporary } from '../compiled.js';

test('a cache of compiled models compiles again if the emitting code changes', async () => {
  const cache = emptyCache();
  await compute(cache, 1);
  const package_ = mkdtempSync(join(temporary, 'package-'));
  cpSync(fileURLToPath(new URL('../../dist', import.meta.url)), join(package_, 'dist'), { recursive: true });
  symlinkSync(
    fileURLToPath(new URL('../../../../node_modules', import.meta.url)),
    join(package_, 'node_modules'),
    'junction',
  );
  cpSync(fileURLToPath(new URL('../../package.json', import.meta.url)), join(package_, 'package.json'));
  const { OnnxRuntime: Copy } = (await import(
    pathToFileURL(join(package_, 'dist/runtimes/onnxruntime.js')).href
  )) as typeof import('@dalle-mini/graph/onnxruntime');
  expect(await compute(cache, 1, 1, Copy)).toBe(32);
  expect(keptIn(cache)).toHaveLength(1);
  // The worker thread, which emits the model, is one file.
  appendFileSync(join(package_, 'dist/runtimes/onnxruntime-worker.mjs'), '// Another version.');
  expect(await compute(cache, 1, 1, Copy)).toBe(32);
  expect(keptIn(cache)).toHaveLength(2);
});
