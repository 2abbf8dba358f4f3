/**
 * Compiles and runs the programs of the documentation: every block of TypeScript in the Markdown files and in the `@example` tags of the
 * sources. Each is a program of its own. `node .ci/documented.mjs [PART OF A PATH]` takes only the files whose path has that part.
 *
 * - "```ts" is compiled and run; "```ts no-run" is compiled only, since it needs a network, hours or files of yours.
 * - A comment `<!-- given: declare const image: RgbImage; -->` before a block of a Markdown file declares what the text presupposes: it is
 *   put in front of the program. A program with `declare` cannot run.
 *
 * They are compiled as a new project of a user is, with what `tsc --init` writes, against the built packages (`npm run build`).
 */
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import sharp from 'sharp';
import ts from 'typescript';
import { check, execute, root } from './checks.mjs';

const block = /^(?<given><!-- given: [^\n]*?-->\s*)?^```(?:ts|typescript)(?<flags>[^\n]*)\n(?<program>.*?)^```$/gms;

const programs = [...markdownPrograms(), ...examplePrograms()].filter(({ path }) =>
  path.includes(process.argv[2] ?? ''),
);
const project = mkdtempSync(join(root, 'node_modules', '.documented-'));
try {
  writeFileSync(join(project, 'package.json'), JSON.stringify({ type: 'module' }));
  for (const program of programs) {
    mkdirSync(dirname(join(project, program.file)), { recursive: true });
    writeFileSync(join(project, program.file), program.text);
  }
  execute('npx', ['tsc', '--init'], { cwd: project });
  await check(`documented programs compile: ${programs.length}`, () =>
    execute('npx', ['tsc', '--noEmit', '--types', 'node', '--pretty', 'false', '-p', '.'], { cwd: project }),
  );
  await prepareFiles();
  const runnable = programs.filter(({ runs }) => runs);
  for (const program of runnable) {
    await check(`documented program runs: ${program.path}:${program.line}`, () => run(program));
  }
  console.log(`${programs.length} documented programs compiled, ${runnable.length} run`);
} finally {
  rmSync(project, { recursive: true });
}

/** Runs a program in a separate folder, with links to the files that the documentation mentions. */
function run({ file, text }) {
  const folder = mkdtempSync(join(project, 'run-'));
  for (const name of readdirSync(join(project, 'files'))) symlinkSync(join(project, 'files', name), join(folder, name));
  // Node.js 20 has no `await using`.
  const options = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, verbatimModuleSyntax: true };
  const script = join(folder, 'program.js');
  writeFileSync(script, ts.transpileModule(text, { compilerOptions: options, fileName: file }).outputText);
  execute(process.execPath, [script], { cwd: folder });
}

/** Creates the files that the documentation mentions. Folders with the names of hub models replace these, because folders take precedence. */
async function prepareFiles() {
  const place = (name) => {
    const path = join(project, 'files', name);
    mkdirSync(dirname(path), { recursive: true });
    return path;
  };
  const model = join(root, 'packages/emoji/model');
  symlinkSync(model, place('model'));
  symlinkSync(join(model, 'vqgan'), place('vqgan'));
  symlinkSync(join(model, 'text-encoder'), place('sentence-transformers/all-MiniLM-L6-v2'));
  const clip = join(root, 'packages/clip/test/fixtures');
  for (const file of ['patch-16/config.json', 'patch-16/model.safetensors', 'tokenizer/tokenizer.json']) {
    copyFileSync(join(clip, file), place(join('openai/clip-vit-base-patch32', basename(file))));
  }
  const pictures = place('pictures');
  await makePictures(pictures);
  const { openImageFolder, writeTokenShards } = await import('@dalle-mini/data');
  const { openVqganTokenizer } = await import('@dalle-mini/vqgan/node');
  const tokenizer = await openVqganTokenizer(join(model, 'vqgan'));
  const { imageSize } = tokenizer;
  await writeTokenShards(await openImageFolder(pictures, { imageSize }), tokenizer, place('tokens'));
  await tokenizer.dispose();
}

/** Writes a folder of pictures with captions. */
async function makePictures(folder) {
  mkdirSync(folder);
  const colors = ['red', 'green', 'blue', 'yellow'];
  for (const background of colors) {
    await sharp({ create: { width: 80, height: 64, channels: 3, background } }).toFile(
      join(folder, `${background}.png`),
    );
  }
  const captions = colors.map((color) => [`${color}.png`, [`a ${color} picture`]]);
  writeFileSync(join(folder, 'captions.json'), JSON.stringify(Object.fromEntries(captions)));
}

function markdownPrograms() {
  const paths = execute('git', ['ls-files', '*.md', ':!.changeset', ':!*.api.md']).trim().split('\n');
  return paths.flatMap((path) => programsOf(path, readFileSync(join(root, path), 'utf8')));
}

function examplePrograms() {
  const paths = execute('git', ['ls-files', 'packages/*/src/*.ts']).trim().split('\n');
  // What is not a comment becomes empty lines: they keep their numbers.
  const comments = (text) =>
    text
      .split('\n')
      .map((line) => /^\s*\* ?(?!\/)(.*)$/.exec(line)?.[1] ?? '')
      .join('\n');
  return paths.flatMap((path) => programsOf(path, comments(readFileSync(join(root, path), 'utf8'))));
}

/** The programs of a file, each at its line there, so that the compiler's messages name the line of the documentation. */
function programsOf(path, text) {
  return [...text.matchAll(block)].map(({ index, groups: { given = '', flags, program } }, i) => {
    const before = text.slice(0, index) + given;
    const line = before.split('\n').length;
    const declarations = given.replace(/^<!-- given: |-->\s*$/g, '').replaceAll('\n', ' ');
    return {
      path,
      line,
      file: `${path}.${i + 1}.ts`,
      text: `${declarations}${'\n'.repeat(line)}${program}`,
      runs: declarations === '' && !flags.includes('no-run'),
    };
  });
}
