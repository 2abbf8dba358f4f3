import { isBuiltin } from 'node:module';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import type { OnnxRuntimeWebOptions } from '@dalle-mini/graph/onnxruntime-web';
import { type BrowserPage, bundleForBrowser, describeChromium, openPage } from '@dalle-mini/testing/chromium';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { isSelected, type Selection } from './browser-program.js';
import { everyGraph } from './graphs-of-cases.js';

const program = join(import.meta.dirname, 'browser-program.ts');
const wasmPaths = '/ort/';

test('onnxruntime-web bundles for browsers without a module of Node.js, into less than 40 kB', async () => {
  const chunks = await bundleForBrowser(join(import.meta.dirname, 'small-browser-program.ts'), [
    'onnxruntime-web/wasm',
  ]);
  const imports = chunks.flatMap(({ imports, dynamicImports }) => [...imports, ...dynamicImports]);
  expect(imports.filter((name) => isBuiltin(name))).toEqual([]);
  expect(imports).toContain('onnxruntime-web/wasm');
  const bytes = gzipSync(chunks.map(({ code }) => code).join('')).length;
  expect(bytes).toBeLessThan(40_000);
});

/** The sine and cosine of SwiftShader, which emulates a GPU on the processor, are exact to 2e-4. */
const inexact = /^(gradient of )?(sin|cos|rope|rotary)/;

/**
 * Computes graphs in a browser and in Node.js, and prints a row of the table of docs/browser.md for each kind of graphs.
 *
 * @returns The outputs that differ, and the errors.
 */
async function compare(
  page: BrowserPage,
  where: string,
  { atOnce, ofNine, ...options }: OnnxRuntimeWebOptions & { readonly atOnce: number; readonly ofNine: number },
): Promise<{ readonly apart: string[] }> {
  await using runtime = new OnnxRuntime({ threads: 1 });
  const graphs = everyGraph();
  const apart: string[] = [];
  const kinds = new Map<string, { graphs: number; agree: number; largest: number }>();
  for (let from = 0; from < graphs.length; from += atOnce) {
    const selection: Selection = { from, to: from + atOnce, ofNine };
    const given = { ...options, ...selection, wasmPaths };
    const results = await page.inWorker<Record<string, number[] | string>>('computeGraphs', given);
    for (const [i, { name, graph, feeds }] of graphs.entries()) {
      if (!isSelected(selection, i)) continue;
      const isInexact = options.device === 'webgpu' && inexact.test(name);
      const kind = isInexact ? 'sine and cosine' : kindOf(name);
      const counted = kinds.get(kind) ?? { graphs: 0, agree: 0, largest: 0 };
      kinds.set(kind, counted);
      counted.graphs++;
      const executable = await runtime.compile(graph);
      const differences = Object.entries(await executable.run(feeds)).map(([output, { shape, data }]) =>
        differenceOf([...data], results[`${name}: ${output} [${shape}]`] as number[] | undefined),
      );
      await executable.dispose();
      const difference = Math.max(...differences);
      // Both add in float32, in another order: up to 1e-5 of the largest element.
      if (difference <= (isInexact ? 1e-3 : 1e-5)) {
        counted.agree++;
        counted.largest = Math.max(counted.largest, difference);
      } else apart.push(`${name}: ${results[name] ?? difference}`);
    }
  }
  const rows = [...kinds].map(([kind, { graphs, agree, largest }]) =>
    ['', where, kind, `${agree} of ${graphs}`, largest.toExponential(0), ''].join(' | ').trim(),
  );
  console.log(rows.join('\n'));
  return { apart };
}

function kindOf(name: string): string {
  return `${name.startsWith('gradient of') ? 'gradients of ' : ''}${/^(gradient of )?layers/.test(name) ? 'layers' : 'operators'}`;
}

/** The largest difference, relative to the largest element. */
function differenceOf(expected: readonly number[], found: readonly number[] | undefined): number {
  if (found?.length !== expected.length) return Number.POSITIVE_INFINITY;
  const scale = expected.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-3);
  return expected.reduce((most, value, i) => {
    const difference = Object.is(value, found[i]) ? 0 : Math.abs(value - found[i]!) / scale;
    return Number.isNaN(difference) ? Number.POSITIVE_INFINITY : Math.max(most, difference);
  }, 0);
}

describeChromium('in Chromium', () => {
  let page: BrowserPage;
  beforeAll(async () => {
    page = await openPage({ program: await bundleForBrowser(program) });
  });
  afterAll(() => page?.[Symbol.asyncDispose]());

  // Threads compute the same graphs in parts: a third of them shows it.
  test.each([
    [1, 9],
    [2, 3],
  ])('gives the results of onnxruntime-node, with threads = %i', async (threads, ofNine) => {
    expect(await page.inWorker('isIsolated')).toBe(true);
    const { apart } = await compare(page, `wasm, threads = ${threads}`, { threads, ofNine, atOnce: 1000 });
    expect(apart).toEqual([]);
  });

  test('computes on the page', async () => {
    expect(await page.onPage('negate', { wasmPaths })).toBe('-1,-2');
  });

  test('lets a worker that computes run after run hear a message', async () => {
    expect(await page.inWorker('computeUntilMessage', { threads: 1, wasmPaths })).toBe(true);
  });

  test('names the lack of memory, and computes on', async () => {
    expect(await page.inWorker('exhaustMemory', { threads: 1, wasmPaths })).toBe('OUT_OF_MEMORY, then -1,-2');
  });

  test('names wasmPaths where the files of ONNX Runtime are missing', async () => {
    expect(await page.inWorker('negate', { wasmPaths: '/nowhere/' })).toMatch(
      /^RUNTIME_UNAVAILABLE The files of ONNX Runtime, .* cannot be loaded: .* set wasmPaths/,
    );
  });
});

describeChromium('in Chromium on WebGPU', () => {
  let page: BrowserPage;
  let gpu: string | null;
  beforeAll(async () => {
    page = await openPage({ program: await bundleForBrowser(program), webgpu: true });
    gpu = await page.inWorker<string | null>('describeGpu');
  });
  afterAll(() => page?.[Symbol.asyncDispose]());

  test('gives the results of onnxruntime-node for operators, layers and gradients', {
    timeout: 900_000,
  }, async (context) => {
    if (gpu === null) context.skip('this Chromium has no adapter of WebGPU');
    // An emulated GPU takes minutes for all graphs: EVERY_GRAPH=1 computes them, otherwise a third.
    const ofNine = process.env.EVERY_GRAPH ? 9 : 3;
    // A browser ends a script that takes minutes.
    const options = { device: 'webgpu', threads: 1, ofNine, atOnce: 360 / ofNine } as const;
    const { apart } = await compare(page, `WebGPU (${gpu})`, options);
    expect(apart).toEqual([]);
  });
});

describeChromium('in Chromium without WebGPU', () => {
  test('says that there is no WebGPU', async () => {
    await using page = await openPage({ program: await bundleForBrowser(program) });
    expect(await page.inWorker('negate', { device: 'webgpu', wasmPaths })).toMatch(
      /^RUNTIME_UNAVAILABLE This browser has no WebGPU, .* Use device "wasm"/,
    );
  });
});

describeChromium('in Chromium on a page that is not isolated', () => {
  test('computes on one thread, whatever threads is', async () => {
    await using page = await openPage({ program: await bundleForBrowser(program), isolated: false });
    expect(await page.inWorker('isIsolated')).toBe(false);
    expect(await page.inWorker('negate', { threads: 2, wasmPaths })).toBe('-1,-2');
  });

  test('names onnxruntime-web where it is missing', async () => {
    await using page = await openPage({
      program: await bundleForBrowser(program, ['onnxruntime-web/wasm']),
      isolated: false,
    });
    expect(await page.onPage('negate', {})).toMatch(
      /^RUNTIME_UNAVAILABLE OnnxRuntimeWeb needs the package onnxruntime-web, .* "npm install onnxruntime-web/,
    );
  });
});
