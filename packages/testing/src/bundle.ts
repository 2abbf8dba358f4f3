import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type RolldownPlugin, rolldown } from 'rolldown';

/**
 * Writes a TypeScript program and what it imports from files as one JavaScript file, since Node.js runs no TypeScript. Returns the paths of its sources.
 *
 * @param inlined Packages whose sources belong to it too.
 * @param plugins Find the sources of these.
 */
export async function bundle(
  program: string,
  file: string,
  inlined = /^@dalle-mini\/testing\//,
  plugins: RolldownPlugin[] = [],
): Promise<string[]> {
  const build = await rolldown({
    input: program,
    platform: 'node',
    external: (module) => !/^[./]/.test(module) && !inlined.test(module),
    plugins,
  });
  const { output } = await build.generate({ format: 'esm', sourcemap: 'inline', codeSplitting: false });
  await mkdir(dirname(file), { recursive: true });
  // Never half written: another process may start it at the same time.
  const temporary = `${file}.${process.pid}`;
  await writeFile(temporary, output[0].code);
  await rename(temporary, file);
  return output[0].moduleIds;
}
