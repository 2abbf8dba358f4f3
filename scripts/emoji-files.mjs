/**
 * Writes `packages/emoji/index.js`, which lists the files of the bundled model for bundlers: `node scripts/emoji-files.mjs`, after a change
 * of the model.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const folder = join(import.meta.dirname, '../packages/emoji');
const names = readdirSync(join(folder, 'model'), { recursive: true })
  .map((name) => String(name).replaceAll('\\', '/'))
  .filter((name) => statSync(join(folder, 'model', name)).isFile())
  .sort();
const entries = names.map((name) => {
  const content = readFileSync(join(folder, 'model', name));
  const sha256 = createHash('sha256').update(content).digest('hex');
  return `  {
    name: '${name}',
    url: new URL('./model/${name}', import.meta.url),
    size: ${content.byteLength},
    sha256: '${sha256}',
  },
`;
});
writeFileSync(
  join(folder, 'index.js'),
  `// Written by scripts/emoji-files.mjs. Bundlers copy the files, since each address is written out.
export const files = [
${entries.join('')}];
`,
);
