/**
 * Writes the `paths` of tsconfig.json, which lead TypeScript from the names that packages export to their sources: `node scripts/paths.mjs`.
 * With `--check` it writes nothing, and fails unless they are what it would write.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { entries } from './entries.mjs';

const file = join(import.meta.dirname, '../tsconfig.json');
const text = readFileSync(file, 'utf8');
const lines = entries().map(({ name, source }) => `      "${name}": ["./${source}"]`);
const expected = text.replace(/"paths": \{[^}]*\}/, `"paths": {\n${lines.join(',\n')}\n    }`);

if (text !== expected) {
  if (process.argv.includes('--check')) {
    console.error(
      'The paths of tsconfig.json must be those of the packages’ exports. Run "npm run paths" and commit it.',
    );
    process.exitCode = 1;
  } else {
    writeFileSync(file, expected);
  }
}
