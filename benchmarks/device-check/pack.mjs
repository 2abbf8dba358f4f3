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

rmSync(built, { recursive: true, force: true });
const bundle = await rolldown({
  input: {
    check: join(here, 'check.ts'),
    operators: join(here, 'operators.ts'),
    references: join(here, 'references.ts'),
    'train-here': join(here, '../src/train-here.ts'),
  },
  platform: 'node',
  external: [/^koffi$/, /^onnxruntime-/, /^sharp$/, /^@tensorflow\//],
});
await bundle.write({ dir: built, format: 'esm', chunkFileNames: 'chunks/[name].js', minify: true });
cpSync(join(here, '../peers'), join(built, 'peers'), { recursive: true });
execFileSync(process.execPath, [join(built, 'references.js'), join(built, 'references.json')], { stdio: 'inherit' });

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
