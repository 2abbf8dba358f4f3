/**
 * Uses the packs as a new user does: an empty app outside the repository installs them, is type-checked and runs.
 * Usage: node .ci/apps.mjs PACKS APPS, with the folder that packs.mjs wrote, and one for the apps
 */
import { copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { check, execute, installPacks, root } from './checks.mjs';

const [packsFolder, appsFolder] = process.argv.slice(2).map((path) => resolve(path));

/** Creates and builds an app of one file that depends on one package only. Returns its folder. */
function createApp(name, packageName) {
  const folder = join(appsFolder, name);
  mkdirSync(folder, { recursive: true });
  installPacks(folder, packsFolder, packageName, { name, private: true, type: 'module' });
  copyFileSync(join(root, '.ci', 'apps', `${name}.ts`), join(folder, 'app.ts'));
  const options = ['--strict', '--module', 'nodenext', '--target', 'es2022', '--skipLibCheck', 'false'];
  const types = ['--types', 'node', '--typeRoots', join(root, 'node_modules', '@types')];
  execute(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), ...options, ...types, 'app.ts'], {
    cwd: folder,
  });
  return folder;
}

const run = (folder, ...args) => execute(process.execPath, ['app.js', ...args], { cwd: folder });

/** Width and height of a PNG file. */
function pngSize(path) {
  const bytes = readFileSync(path);
  if (bytes.toString('latin1', 1, 4) !== 'PNG') throw new Error(`${path} must be a PNG file.`);
  return { width: bytes.readUInt32BE(16), height: bytes.readUInt32BE(20) };
}

await check('app: @dalle-mini/vqgan alone turns an image to tokens and back, without sharp and TensorFlow.js', () => {
  const folder = createApp('vqgan', '@dalle-mini/vqgan');
  for (const absent of ['sharp', '@tensorflow']) {
    if (existsSync(join(folder, 'node_modules', absent))) throw new Error(`${absent} was installed`);
  }
  console.log(run(folder, join(root, 'packages/emoji/model/vqgan')).trimEnd());
});

await check('app: @dalle-mini/data alone reads a folder of images, without ONNX Runtime', () => {
  const folder = createApp('data', '@dalle-mini/data');
  for (const absent of ['onnxruntime-node', '@tensorflow', '@dalle-mini/graph', '@dalle-mini/vqgan']) {
    if (existsSync(join(folder, 'node_modules', absent))) throw new Error(`${absent} was installed`);
  }
  console.log(run(folder).trimEnd());
});

await check('app: @dalle-mini/pipeline generates an image with the bundled model', () => {
  const folder = createApp('pipeline', '@dalle-mini/pipeline');
  console.log(run(folder).trimEnd());
  const { width, height } = pngSize(join(folder, 'apple.png'));
  if (width !== height || width < 32) throw new Error(`the picture is ${width}×${height}`);
});
