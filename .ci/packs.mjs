/**
 * Packs every package as `npm publish` would, and checks the packs. Usage: node .ci/packs.mjs FOLDER
 *
 * Writes the packs to the folder, and index.json there: from the package's name to its file.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { check, execute, root, workspaces } from './checks.mjs';

/** Upper limits of the packed sizes in MB, to notice unwanted files. These packages contain weights. */
const largest = { '@dalle-mini/emoji': 96, '@dalle-mini/perceptual': 36 };
const largestCode = 1;

const folder = resolve(process.argv[2]);
mkdirSync(folder, { recursive: true });
const bin = (name) => join(root, 'node_modules', '.bin', name);
const index = {};
const sizes = [];

for (const { path, manifest } of workspaces('packages')) {
  const { name } = manifest;
  if (manifest.private) continue;
  await check(`${name}: packs with a README, a license and no unexpected files`, () => {
    const [pack] = JSON.parse(execute('npm', ['pack', '--json', '--pack-destination', folder], { cwd: path }));
    const file = join(folder, pack.filename);
    index[name] = file;
    sizes.push({
      package: name,
      'packed kB': Math.round(pack.size / 1e3),
      'unpacked kB': Math.round(pack.unpackedSize / 1e3),
      files: pack.entryCount,
    });
    const files = pack.files.map((entry) => entry.path);
    for (const needed of ['README.md', 'LICENSE', 'package.json']) {
      if (!files.includes(needed)) throw new Error(`The pack must contain ${needed}.`);
    }
    const astray = files.filter((entry) => /(^|\/)(test|node_modules|\.turbo)\/|\.test\.|\.tsbuildinfo$/.test(entry));
    if (astray.length > 0) throw new Error(`The pack must not contain ${astray.join(', ')}.`);
    const limit = largest[name] ?? largestCode;
    if (pack.size > limit * 1e6) throw new Error(`The pack must have at most ${limit} MB, not ${pack.size / 1e6}.`);
  });
  const file = index[name];
  if (!file) continue;
  await check(`${name}: publint`, () => execute(bin('publint'), [file, '--strict']));
  await check(`${name}: are the types wrong?`, () =>
    execute(bin('attw'), [file, '--profile', 'esm-only', '--format', 'ascii']),
  );
}
writeFileSync(join(folder, 'index.json'), JSON.stringify(index, null, 2));
console.table(sizes);
