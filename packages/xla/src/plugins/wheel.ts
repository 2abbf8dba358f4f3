/** Reads files out of a wheel, which is a zip file. */
import { createWriteStream } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { openPromise } from 'yauzl';
import { XlaError } from '../error.js';

/** Where the licences of what is in a wheel are, in its `.dist-info` folder. */
const licensePath = /^[^/]+\.dist-info\/(?:licenses\/)?((?:LICEN[CS]E|NOTICE|THIRD_PARTY|COPYING)[\w.-]*)$/i;

/**
 * Unpacks the library of a wheel, at its path in the wheel, and the licences.
 * @throws XlaError if the wheel does not have the library.
 */
export async function unpackWheel(
  wheel: string,
  library: string,
  folder: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const zip = await openPromise(wheel, { lazyEntries: true });
  let isFound = false;
  try {
    for await (const entry of zip.eachEntry()) {
      const license = licensePath.exec(entry.fileName)?.[1];
      if (entry.fileName !== library && license === undefined) continue;
      isFound ||= entry.fileName === library;
      const target = join(folder, license === undefined ? library : basename(license));
      await mkdir(dirname(target), { recursive: true });
      await pipeline(await zip.openReadStreamPromise(entry), createWriteStream(target), { signal });
    }
  } finally {
    zip.close();
  }
  if (!isFound) throw new XlaError(`${basename(wheel)} must contain ${library}, and does not.`);
}
