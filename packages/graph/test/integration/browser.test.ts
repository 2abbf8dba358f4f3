import { isBuiltin } from 'node:module';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { type BrowserPage, bundleForBrowser, describeChromium, openPage } from '@dalle-mini/testing/chromium';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
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

describeChromium('in Chromium', () => {
  let page: BrowserPage;
  beforeAll(async () => {
    page = await openPage({ program: await bundleForBrowser(program) });
  });
  afterAll(() => page?.[Symbol.asyncDispose]());

  describe('every operator, layer and gradient', () => {
    /** The results of onnxruntime-node. */
    const expected: Record<string, number[]> = {};
    beforeAll(async () => {
      await using runtime = new OnnxRuntime({ threads: 1 });
      for (const { name, graph, feeds } of everyGraph()) {
        const executable = await runtime.compile(graph);
        for (const [output, { shape, data }] of Object.entries(await executable.run(feeds)))
          expected[`${name}: ${output} [${shape}]`] = [...data];
        await executable.dispose();
      }
    });

    test.each([1, 2])('gives the results of onnxruntime-node, with threads = %i', async (threads) => {
      expect(await page.inWorker('isIsolated')).toBe(true);
      const results = await page.inWorker<Record<string, number[]>>('computeCases', { threads, wasmPaths });
      expect(Object.keys(results)).toEqual(Object.keys(expected));
      // Both add in float32, in another order: up to 1e-5 of the largest element.
      const apart = Object.entries(expected).filter(([name, values]) => {
        const tolerance = 1e-5 * values.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-3);
        return !values.every(
          (value, i) => Object.is(value, results[name]![i]) || Math.abs(value - results[name]![i]!) <= tolerance,
        );
      });
      expect(apart.map(([name]) => name)).toEqual([]);
    });
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

  /** The sine and cosine of SwiftShader, which emulates a GPU on the processor, are exact to 2e-4. */
  const inexact = /^(gradient of )?(sin|cos|rope|rotary)/;

  test('gives the results of onnxruntime-node for operators, layers and gradients', {
    timeout: 900_000,
  }, async (context) => {
    if (gpu === null) context.skip('this Chromium has no adapter of WebGPU');
    await using runtime = new OnnxRuntime({ threads: 1 });
    const graphs = everyGraph();
    const apart: string[] = [];
    let count = 0;
    // An emulated GPU takes minutes for all graphs: EVERY_GRAPH=1 computes them, otherwise three of each nine.
    const [step, some] = process.env.EVERY_GRAPH ? [40, 40] : [9, 3];
    for (let from = 0; from < graphs.length; from += step) {
      const options = { device: 'webgpu', threads: 1, wasmPaths, from, to: from + some };
      const results = await page.inWorker<Record<string, number[] | string>>('computeSome', options);
      for (const { name, graph, feeds } of graphs.slice(from, from + some)) {
        count++;
        if (typeof results[name] === 'string') apart.push(`${name}: ${results[name]}`);
        if (typeof results[name] === 'string') continue;
        const executable = await runtime.compile(graph);
        for (const [output, { shape, data }] of Object.entries(await executable.run(feeds))) {
          const found = results[`${name}: ${output} [${shape}]`] as number[];
          const largest = [...data].reduce((most, value) => Math.max(most, Math.abs(value)), 1e-3);
          const tolerance = (inexact.test(name) ? 1e-3 : 1e-5) * largest;
          const differs = [...data].some(
            (value, i) => !Object.is(value, found[i]) && !(Math.abs(value - found[i]!) <= tolerance),
          );
          if (differs) apart.push(`${name}: ${output}`);
        }
        await executable.dispose();
      }
    }
    console.log(`WebGPU (${gpu}): ${count - apart.length} of ${count} graphs agree`);
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
