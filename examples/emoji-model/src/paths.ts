import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The path of an argument, from the folder in which npm was called; by default a path from the root of the repository. */
export function pathOf(argument: string | undefined, fallback: string): string {
  if (argument !== undefined) return resolve(process.env.INIT_CWD ?? '.', argument);
  return fileURLToPath(new URL(`../../../${fallback}`, import.meta.url));
}
