import { dirname } from 'node:path';
import { OptionError } from '@dalle-mini/core';
import { makeFolder, writeFileAtomically } from '@dalle-mini/core/node';
import { runReport } from '@dalle-mini/train';
import { UsageError } from './errors.js';

/** Runs `dalle-mini plot`: writes a report of training runs, and prints its path. */
export async function plot(folders: readonly string[], { out }: { readonly out: string }): Promise<void> {
  const page = await runReport(folders).catch((error: unknown) => {
    throw OptionError.isInstance(error) ? new UsageError(error.message) : error;
  });
  await makeFolder(dirname(out));
  await writeFileAtomically(out, page);
  process.stdout.write(`${out}\n`);
}
