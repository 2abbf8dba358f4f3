/**
 * Runs a program that generates an image in the hosts of docs/deploying.md: bundlers, test runners, other runtimes and versions of Node.js.
 * In each, it must generate the same tokens, also on a page in Chromium, if there is one. Usage: node .ci/hosts.mjs PACKS APPS, like apps.mjs. Runs on Linux x64 (glibc) only.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { extname, join, resolve } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { chromium } from 'playwright-core';
import { check, execute, installPacks, readJson, root } from './checks.mjs';

if (process.platform !== 'linux' || process.arch !== 'x64') {
  console.log('not run: the hosts, which are tried on Linux x64 only');
  process.exit();
}
const [packsFolder, appsFolder] = process.argv.slice(2).map((path) => resolve(path));
const folder = join(appsFolder, 'hosts');
cpSync(join(root, '.ci/apps/hosts'), folder, { recursive: true });
const manifest = readJson(join(folder, 'package.json'));
installPacks(folder, packsFolder, '@dalle-mini/pipeline', manifest);

const types = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
};
const node = process.execPath;
const bin = (name) => join(folder, 'node_modules/.bin', name);
const run = (command, args, env = {}, cwd = folder) => execute(command, args, { cwd, env }).trim();
const tokens = run(node, ['main.mjs']);

/** Checks that a host generates the tokens that Node.js generates. */
const compare = (name, generate) =>
  check(`host: ${name} generates the same image`, async () => {
    const generated = await generate();
    if (generated !== tokens) throw new Error(`The tokens must be ${tokens}, not ${generated}.`);
  });

await compare('CommonJS', () => run(node, ['main.cjs']));
for (const version of [22, 24, 25]) {
  const other = join(folder, `node_modules/node${version}/bin/node`);
  await compare(`Node.js ${version}`, () => run(other, ['main.mjs']));
  await compare(`CommonJS of Node.js ${version}`, () => run(other, ['main.cjs']));
}
await compare('the WebAssembly build', () =>
  run(node, ['--require', './no-native.cjs', 'main.mjs'], { NODE_OPTIONS: '--require ./no-native.cjs' }),
);
for (const [format, file] of [
  ['esm', 'out/esbuild.mjs'],
  ['cjs', 'out/esbuild.cjs'],
]) {
  await compare(`esbuild, ${format},`, () => {
    const options = ['--bundle', '--platform=node', '--external:sharp', `--format=${format}`, `--outfile=${file}`];
    run(bin('esbuild'), ['main.mjs', ...options]);
    return run(node, [file]);
  });
}
await compare('Rolldown', () => {
  run(bin('rolldown'), [
    'main.mjs',
    '--platform',
    'node',
    '--external',
    'sharp',
    '--dir',
    'out/rolldown',
    '--entry-file-names',
    '[name].mjs',
  ]);
  return run(node, ['out/rolldown/main.mjs']);
});
await compare('Vite', () => {
  run(bin('vite'), ['build']);
  return run(node, ['out/vite/main.mjs']);
});
await compare('webpack', () => {
  run(node, ['webpack.mjs']);
  return run(node, ['out/webpack/main.cjs']);
});
const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
if (existsSync(executablePath)) {
  await compare('a page bundled by webpack', async () => {
    run(node, ['webpack-page.mjs']);
    return generateOnPage(join(folder, 'out/page'));
  });
} else console.log('not run: a page bundled by webpack, which needs Chromium');
await check('host: Jest generates the same image', () =>
  run(bin('jest'), [], { NODE_OPTIONS: '--experimental-vm-modules', EXPECTED_TOKENS: tokens }),
);
await check('host: Vitest generates the same image', () =>
  run(bin('vitest'), ['run', '--globals', 'generate.test.mjs'], { EXPECTED_TOKENS: tokens }),
);
await compare('Bun', () => run(join(folder, 'node_modules/@oven/bun-linux-x64/bin/bun'), ['main.mjs']));
await compare('Deno', () => run(bin('deno'), ['run', '-A', 'main.mjs']));

await compare('Next.js', async () => {
  run(bin('next'), ['build']);
  return ask(bin('next'), ['start'], folder);
});
await compare('Next.js, standalone,', async () => {
  run(bin('next'), ['build'], { STANDALONE: '1' });
  // Elsewhere, so that it cannot find the packages of the app.
  const standalone = join(appsFolder, 'standalone');
  // Next.js links to the packages, relative to the folder.
  cpSync(join(folder, '.next/standalone'), standalone, { recursive: true, verbatimSymlinks: true });
  rmSync(join(folder, '.next'), { recursive: true });
  return ask(node, ['server.js'], standalone);
});

/** Serves a page, and generates in Chromium. Checks how much JavaScript the page loads. */
async function generateOnPage(site) {
  let scripts = 0;
  const server = createServer(async ({ url }, response) => {
    const file = join(site, url === '/' ? 'index.html' : url);
    const content = await readFile(file).catch(() => undefined);
    if (/\.m?js$/.test(file)) scripts += content?.length ?? 0;
    response.writeHead(content ? 200 : 404, { 'content-type': types[extname(file)] ?? 'application/octet-stream' });
    response.end(content);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  try {
    const page = await browser.newPage();
    await page.goto(`http://127.0.0.1:${server.address().port}/`);
    await page.waitForFunction('window.generate');
    const generated = await page.evaluate('generate()');
    if (scripts > 1_000_000) throw new Error(`The page must load at most 1 MB of JavaScript, not ${scripts} bytes.`);
    return generated;
  } finally {
    await browser.close();
    server.closeAllConnections();
    server.close();
  }
}

/** Starts a server, asks it for a picture, and stops it. */
async function ask(command, args, cwd) {
  const PORT = '38217';
  const server = spawn(command, args, { cwd, env: { ...process.env, PORT }, stdio: 'ignore' });
  const exit = once(server, 'exit');
  try {
    for (let attempt = 0; attempt < 60; attempt++) {
      await setTimeout(500);
      const response = await fetch(`http://127.0.0.1:${PORT}/picture`).catch(() => undefined);
      if (response) return `${response.ok ? '' : `${response.status} `}${await response.text()}`;
    }
    throw new Error('The server must answer within 30 seconds.');
  } finally {
    // At once: a server that stops in order waits for the connection, and the next one needs the port.
    server.kill('SIGKILL');
    await exit;
  }
}
