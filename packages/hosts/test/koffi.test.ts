import { readFileSync } from 'node:fs';
import { keepLoaded, loadKoffi } from '@dalle-mini/hosts/koffi';
import { expect, test } from 'vitest';

/** A library of glibc that nothing else loads. */
const name = 'libBrokenLocale.so.1';
const isLoaded = () => readFileSync('/proc/self/maps', 'utf8').includes(name);
const koffi = await loadKoffi();

function canLoad(): boolean {
  try {
    koffi.load(name).unload();
    return true;
  } catch {
    return false;
  }
}

test.skipIf(process.platform !== 'linux' || !canLoad())('a library stays loaded after koffi has unloaded it', () => {
  const before = koffi.load(name);
  expect(isLoaded()).toBe(true);
  before.unload();
  expect(isLoaded()).toBe(false);
  const kept = koffi.load(name);
  keepLoaded(koffi, name);
  kept.unload();
  expect(isLoaded()).toBe(true);
});
