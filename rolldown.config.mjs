import { readFileSync } from 'node:fs';

/**
 * How a package's JavaScript is made: one file for each of its exports, and some that these share, since a program starts a tenth sooner
 * where it need not load a hundred modules. Run in the package's folder, by its `build`; TypeScript writes the declarations.
 *
 * @param {readonly string[]} others what else is a program of its own, such as a worker thread: paths under `src`, without extension.
 * @returns {import('rolldown').RolldownOptions}
 */
export function bundle(others = []) {
  const { exports, dependencies, optionalDependencies, peerDependencies } = JSON.parse(
    readFileSync('package.json', 'utf8'),
  );
  // Other exports are files as they are, such as weights.
  const files = Object.values(exports).flatMap(({ default: file, browser }) =>
    [file, browser].flatMap((path) => /^\.\/dist\/(.*)\.js$/.exec(path ?? '')?.[1] ?? []),
  );
  return {
    input: Object.fromEntries([...files, ...others].map((path) => [path, `src/${path}.ts`])),
    platform: 'neutral',
    external: [
      /^node:/,
      ...Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies }).map(
        (name) => new RegExp(`^${name}($|/)`),
      ),
    ],
    output: { dir: 'dist', format: 'esm', chunkFileNames: 'chunks/[name].js', sourcemap: true, cleanDir: true },
  };
}

export default bundle();
