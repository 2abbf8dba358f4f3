import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { expect, test } from 'vitest';
import { hasGoogleDevice } from '../src/pjrt/google-device.js';

/** Lists PCI devices of some vendors, as Linux does. */
async function devicesOf(...vendors: readonly string[]): Promise<string> {
  const folder = await temporaryFolder();
  for (const [i, vendor] of vendors.entries()) {
    await mkdir(join(folder, `0000:00:0${i}.0`));
    await writeFile(join(folder, `0000:00:0${i}.0`, 'vendor'), `${vendor}\n`);
  }
  return folder;
}

test('a TPU is looked for only on computers with a PCI device by Google', async () => {
  expect(await hasGoogleDevice(await devicesOf('0x8086', '0x1ae0'))).toBe(true);
  expect(await hasGoogleDevice(await devicesOf('0x8086', '0x1af4'))).toBe(false);
  expect(await hasGoogleDevice(join(await temporaryFolder(), 'absent'))).toBe(false);
});
