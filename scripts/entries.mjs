import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');

/**
 * Lists the exports of the packages of this repository: the name to import, the source file, and the JavaScript file that is built from
 * it. Paths are relative to the root of the repository. A package that exports its sources has no `built`.
 *
 * @returns {{ name: string, packageName: string, folder: string, isPrivate: boolean, source: string, built?: string }[]}
 */
export function entries() {
  const folders = readdirSync(join(root, 'packages')).map((name) => `packages/${name}`);
  return folders
    .filter((folder) => existsSync(join(root, folder, 'package.json')))
    .flatMap((folder) => {
      const manifest = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'));
      return Object.entries(manifest.exports).flatMap(([path, target]) => {
        const file = typeof target === 'string' ? target : target.default;
        const built = /^\.\/dist\/(.*)\.js$/.exec(file)?.[1];
        if (built === undefined && !file.endsWith('.ts')) return [];
        return {
          name: manifest.name + path.slice(1),
          packageName: manifest.name,
          folder,
          isPrivate: manifest.private === true,
          ...(built === undefined
            ? { source: `${folder}/${file.slice(2)}` }
            : { source: `${folder}/src/${built}.ts`, built: `${folder}/dist/${built}.js` }),
        };
      });
    });
}
