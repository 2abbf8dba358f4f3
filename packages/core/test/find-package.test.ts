import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { findPackageFile, installAdvice, isInArchive, placesOfPackages } from '@dalle-mini/core/node';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { expect, test } from 'vitest';

/** Installs a package of one file in a folder. Returns the path of the file. */
async function install(folder: string): Promise<string> {
  const installed = join(folder, 'node_modules', 'weights');
  await mkdir(installed, { recursive: true });
  await writeFile(join(installed, 'package.json'), '{}');
  return join(installed, 'package.json');
}

test('finds a file of a package from the module that needs it', async () => {
  const folder = await temporaryFolder();
  const file = await install(folder);
  expect(findPackageFile('weights/package.json', pathToFileURL(join(folder, 'src', 'module.js')).href)).toBe(file);
});

test.each([undefined, 'file:///another/machine/module.js', 'webpack://app/module.js'])(
  'finds packages of the running program when a bundler sets the URL of the module to %s',
  (moduleUrl) => {
    expect(findPackageFile('vitest/package.json', moduleUrl)).toMatch(/vitest.package\.json$/);
  },
);

test('prefers what Electron stores next to its archive', async () => {
  const folder = await temporaryFolder();
  await install(join(folder, 'app.asar'));
  const unpacked = await install(join(folder, 'app.asar.unpacked'));
  const module = join(folder, 'app.asar', 'module.js');
  expect(findPackageFile('weights/package.json', pathToFileURL(module).href)).toBe(unpacked);
  expect([isInArchive(module), isInArchive(unpacked)]).toEqual([true, false]);
});

test('throws the error of the first place when a package is not installed', () => {
  const place = pathToFileURL(join(import.meta.dirname, 'module.js')).href;
  expect(placesOfPackages(place)[0]).toBe(place);
  expect(() => findPackageFile('not-installed/package.json', place)).toThrow(
    expect.objectContaining({ code: 'MODULE_NOT_FOUND' }),
  );
});

test('advises those who bundle programs and those who do not', () => {
  expect(installAdvice('weights')).toMatch(/serverExternalPackages.*ssr\.external.*"npm install weights"/);
});
