import { appendFileSync, cpSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
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
  // The worker thread, which emits the model, is one file.
  appendFileSync(join(package_, 'dist/runtimes/onnxruntime-worker.js'), '// Another version.');
  expect(await compute(cache, 1, 1, Copy)).toBe(32);
  expect(keptIn(cache)).toHaveLength(2);
  writeFileSync(description, readFileSync(description, 'utf8').replace(/"version": "[^"]*"/, '"version": "999.0.0"'));
  expect(await compute(cache, 1, 1, Copy)).toBe(32);
  expect(keptIn(cache)).toHaveLength(3);
});
