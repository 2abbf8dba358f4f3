import { createHash } from 'node:crypto';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { encodeImage, fromPretrained, type TextToImage } from '@dalle-mini/pipeline';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { tinyMaxLength, writeTinyModel } from '@dalle-mini/testing/tiny-model';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';

let model: TextToImage;
let folder: string;
let tiny: string;

beforeAll(async () => {
  folder = await temporaryFolder();
  tiny = await writeTinyModel(folder);
  model = await fromPretrained(tiny, { threads: 1 });
});
afterAll(async () => {
  await model.dispose();
});

const grids = (images: readonly { tokens: Int32Array }[]) => images.map(({ tokens }) => [...tokens]);

describe('a loaded model', () => {
  test('generates images of the VQ-GAN’s size from tokens of its vocabulary', async () => {
    const [{ image, tokens }] = (await model.generate('a red apple')) as [
      Awaited<ReturnType<typeof model.generate>>[0],
    ];
    expect(image).toMatchObject({ width: 16, height: 16 });
    expect(image.data).toHaveLength(16 * 16 * 3);
    expect(tokens).toHaveLength(64);
    expect(tokens.every((token) => token >= 0 && token < 32)).toBe(true);
  });

  test('generates the same bytes for the same seed, and other bytes for another seed', async () => {
    const digest = async (seed: number) => {
      const hash = createHash('sha256');
      for (const { image } of await model.generate('a red apple', { n: 2, seed }))
        hash.update(await encodeImage(image));
      return hash.digest('hex');
    };
    const first = await digest(7);
    expect(await digest(7)).toBe(first);
    expect(await digest(8)).not.toBe(first);
  });

  test('generates the same image i for every n, also after the first batch', async () => {
    const many = grids(await model.generate('a red apple', { n: 11, seed: 3 }));
    expect(new Set(many.map(String)).size).toBe(11);
    for (const n of [1, 3, 9])
      expect(grids(await model.generate('a red apple', { n, seed: 3 }))).toEqual(many.slice(0, n));
  });

  test('depends on the prompt and, with guidance, on the negative prompt', async () => {
    const generate = (prompt: string, options = {}) => model.generate(prompt, { seed: 1, ...options }).then(grids);
    const apple = await generate('a red apple');
    expect(await generate('red')).not.toEqual(apple);
    expect(await generate('a red apple', { negativePrompt: 'red' })).not.toEqual(apple);
    expect(await generate('a red apple', { guidanceScale: 1, negativePrompt: 'red' })).toEqual(
      await generate('a red apple', { guidanceScale: 1 }),
    );
  });

  test('reads emoji by their names, and warns of unknown words and of a long prompt', async () => {
    const seed = 4;
    const named = await model.generate('red apple', { seed });
    const emoji = await model.generate('🍎', { seed });
    expect(grids(emoji)).toEqual(grids(named));
    expect(emoji[0]!.warnings).toEqual([]);
    const [unknown] = await model.generate('a ꙮ', { seed });
    expect(unknown!.warnings).toEqual([
      { kind: 'unknown-words', message: 'The model does not know "ꙮ". Use other words.' },
    ]);
    const [long] = await model.generate('red apple '.repeat(tinyMaxLength), { seed });
    expect(long!.warnings.map(({ kind }) => kind)).toEqual(['truncated']);
  });

  test('ignores tokens beyond its maximum length', async () => {
    const words = 'red apple '.repeat(tinyMaxLength);
    const seed = 4;
    const long = words + 'a'.repeat(100_000 - words.length);
    expect(long).toHaveLength(100_000);
    expect(grids(await model.generate(long, { seed }))).toEqual(grids(await model.generate(words, { seed })));
  });

  test.each(['\ud800', '😀 apple', 'תפוח אדום', '👩‍👩‍👧‍👦', '\u202eelppa', 'e\u0301', '<script>', '\0 red'])(
    'generates an image from %j',
    async (prompt) => {
      expect(await model.generate(prompt)).toHaveLength(1);
    },
  );

  test('stops within one row of tokens when the signal aborts', async () => {
    const stop = new AbortController();
    let rows = 0;
    const generating = model.generate('a red apple', {
      n: 20,
      signal: stop.signal,
      onProgress: () => {
        rows++;
        if (rows === 3) stop.abort(new Error('enough'));
      },
    });
    await expect(generating).rejects.toThrow('enough');
    expect(rows).toBe(3);
    // The model still works.
    expect(await model.generate('a red apple')).toHaveLength(1);
  });

  test('does not dispose of the caller’s runtime', async () => {
    const runtime = new OnnxRuntime({ threads: 1 });
    const first = await fromPretrained(tiny, { runtime });
    await first.dispose();
    const second = await fromPretrained(tiny, { runtime });
    expect(await second.generate('a red apple')).toHaveLength(1);
    await second.dispose();
    await runtime.dispose();
  });

  test('opens no device next to a runtime, and none without a plugin', async () => {
    const runtime = new OnnxRuntime({ threads: 1 });
    await expect(fromPretrained(tiny, { runtime, device: 'cuda' })).rejects.toThrow(
      'device must be left out if runtime, which has a device, is given, not "cuda".',
    );
    await runtime.dispose();
    await expect(fromPretrained(tiny, { device: 'gpu' as never })).rejects.toThrow(
      'device must be "cpu", "xla-cpu", "cuda" or "tpu", not "gpu".',
    );
    vi.stubEnv('PJRT_PLUGIN_LIBRARY_PATH', '');
    for (const folder of ['XDG_CACHE_HOME', 'HOME', 'VIRTUAL_ENV']) vi.stubEnv(folder, await temporaryFolder());
    await expect(fromPretrained(tiny, { device: 'tpu' })).rejects.toThrow('There is no plugin of XLA for tpu');
    vi.unstubAllEnvs();
  });

  test('generates the same image with and without a prepared decoder', async () => {
    const generated = await Promise.all(
      [0, 1, 2, 9].map(async (prepare) => {
        const own = await fromPretrained(tiny, { prepare, threads: 1 });
        const [picture] = await own.generate('a red apple', { seed: 1 });
        await own.dispose();
        return [...picture!.tokens];
      }),
    );
    for (const tokens of generated) expect(tokens).toEqual(generated[0]);
    await expect(fromPretrained(tiny, { prepare: -1 })).rejects.toThrow(
      'prepare must be a whole number of at least 0, not -1.',
    );
  });

  test('rejects with the reason of a signal that aborts while loading', async () => {
    const stop = new AbortController();
    const loading = fromPretrained(tiny, { signal: stop.signal });
    setTimeout(() => stop.abort(new Error('changed my mind')), 5);
    await expect(loading).rejects.toThrow('changed my mind');
  });
});
