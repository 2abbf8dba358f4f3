/**
 * Packs the check for a machine with an accelerator that has neither Node.js nor a network: `node device-check/pack.mjs FILE`, after a
 * build. The archive (tar, xz) has Node.js, koffi, the programs and the outputs of ONNX Runtime to compare with.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { rolldown } from 'rolldown';

const file = resolve(process.env.INIT_CWD ?? '.', process.argv[2] ?? 'device-check.tar.xz');
const here = import.meta.dirname;
const root = join(here, '../..');
const built = join(here, '../dist/device-check');

const native = [/^koffi$/, /^onnxruntime-/, /^sharp$/, /^@tensorflow\//];

/**
 * Bundles programs with what they import.
 *
 * @param {Record<string, string>} input
 * @param {(string | RegExp)[]} external what they import from packages where they run
 */
async function bundle(input, external) {
  const bundled = await rolldown({ input, platform: 'node', external });
  await bundled.write({ dir: built, format: 'esm', chunkFileNames: 'chunks/[name]-[hash].js' });
  await bundled.close();
}

rmSync(built, { recursive: true, force: true });
// ONNX Runtime has a worker thread of its own, and runs here only.
await bundle({ references: join(here, 'references.ts') }, [...native, '@dalle-mini/graph/onnxruntime']);
const references = join(built, 'references.json');
execFileSync(process.execPath, [join(built, 'references.js'), references], { stdio: 'inherit' });
await bundle(
  {
    check: join(here, 'check.ts'),
    operators: join(here, 'operators.ts'),
    'train-here': join(here, '../src/train-here.ts'),
  },
  native,
);
cpSync(join(here, '../peers'), join(built, 'peers'), { recursive: true });

const folder = mkdtempSync(join(tmpdir(), 'device-check-'));
const packed = join(folder, 'device-check');
cpSync(built, packed, { recursive: true });
for (const name of ['koffi', '@koromix']) {
  const modules = join('node_modules', name);
  cpSync(join(root, modules), join(packed, modules), { recursive: true, dereference: true });
}
cpSync(process.execPath, join(packed, 'node'));
execFileSync('tar', ['-cJf', file, '-C', folder, 'device-check'], { env: { ...process.env, XZ_OPT: '-6 -T0' } });
rmSync(folder, { recursive: true });
console.log(file);
