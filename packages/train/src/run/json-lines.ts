import { open } from 'node:fs/promises';
import { parseJsonObject } from '@dalle-mini/core';
import { isMissing, readTextFile, withFileErrors, writeFileAtomically } from '@dalle-mini/core/node';

/**
 * Reads the objects of a file of JSON lines, without an incomplete last line. Returns none if the file is missing.
 *
 * @throws FileError if it cannot be read; ConfigError that names a line that is not JSON.
 */
export async function readJsonLines<T extends object>(path: string): Promise<T[]> {
  return parse<T>(await readText(path), path).map(({ value }) => value);
}

/** Removes the lines of the objects that `keep` rejects, and an incomplete last line. Returns the other objects. */
export async function filterJsonLines<T extends object>(path: string, keep: (value: T) => boolean): Promise<T[]> {
  const text = await readText(path);
  const kept = parse<T>(text, path).filter(({ value }) => keep(value));
  const keptText = kept.map(({ line }) => `${line}\n`).join('');
  if (keptText !== text) await writeFileAtomically(path, keptText);
  return kept.map(({ value }) => value);
}

/**
 * Appends objects, a line each, and waits until they are on disk.
 *
 * @throws FileError if they cannot be written. No part of them remains.
 */
export async function appendJsonLines(path: string, values: readonly object[]): Promise<void> {
  await appendBytes(path, values.map((value) => `${JSON.stringify(value)}\n`).join(''));
}

/**
 * Appends to a file, and waits until that is on disk.
 *
 * @throws FileError if it cannot be written. No part of it remains.
 */
export async function appendBytes(path: string, bytes: string | Uint8Array): Promise<void> {
  await withFileErrors('write', path, async () => {
    const file = await open(path, 'a');
    try {
      const { size } = await file.stat();
      try {
        await file.writeFile(bytes);
        await file.sync();
      } catch (error) {
        // The first error is more useful than an error of the cleanup.
        await file.truncate(size).catch(() => undefined);
        throw error;
      }
    } finally {
      await file.close();
    }
  });
}

async function readText(path: string): Promise<string> {
  return readTextFile(path).catch((error: unknown) => {
    if (isMissing(error)) return '';
    throw error;
  });
}

function parse<T extends object>(text: string, path: string): { line: string; value: T }[] {
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  const lines = whole.split('\n').slice(0, -1);
  return lines.map((line, i) => {
    const value = parseJsonObject(line, `${path}, line ${i + 1}`, 'Delete the line or the file.');
    return { line, value: value as T };
  });
}
