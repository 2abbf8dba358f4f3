import { type ClipFiles, ClipRanker, clipTokenizerJson } from '@dalle-mini/clip';
import type { Executable, Runtime } from '@dalle-mini/graph';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { toFloat32 } from '@dalle-mini/weights';
import { afterAll, describe, expect, it } from 'vitest';
import { captions, openaiWeights, pictures, relativeError, tinyClip, tokenizerFiles } from './fixtures.js';

const runtime = new OnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

const { config, weights, outputs } = tinyClip('patch-16');
const { tokenizer, vocabulary, merges } = tokenizerFiles;
const images = pictures.map(({ input }) => input);
// Which captions scripts/reference/clip.py gave to the model.
const prompts = [1, 0, 18, 20].map((index) => captions[index]!.caption);
const prompt = prompts[0]!;

const load = (files: Partial<ClipFiles> = {}, batchSize?: number, on: Runtime = runtime) =>
  ClipRanker.fromFiles({ config, tokenizer, weights, ...files }, { runtime: on, batchSize });

describe('rank', () => {
  it.each([
    ["Hugging Face's files", {}],
    [
      "OpenAI's weights with vocab.json",
      { weights: openaiWeights(), tokenizer: clipTokenizerJson(vocabulary, merges) },
    ],
  ])('gives the similarities of transformers, from captions and pictures on, with %s', async (_, files) => {
    const ranker = await load(files);
    const scores: number[] = [];
    for (const prompt of prompts) scores.push(...(await ranker.rank(prompt, images)));
    await ranker.dispose();
    // Float32 sums in another order.
    expect(relativeError(scores, toFloat32(outputs.get('similarities')!))).toBeLessThan(1e-5);
  });

  // One, a full batch, one more, and none: an image's score must not depend on its neighbours.
  it.each([0, 1, 3, 4, 7])('scores %i images, three at a time, as it does one by one', async (count) => {
    const ranker = await load({}, 3);
    const together = await ranker.rank(prompt, images.slice(0, count));
    const apart = toFloat32(outputs.get('similarities')!).slice(0, count);
    expect(together).toHaveLength(count);
    for (const [i, score] of together.entries()) expect(score).toBeCloseTo(apart[i]!, 4);
    await ranker.dispose();
  });

  it('stops between two batches when it is cancelled', async () => {
    const ranker = await load({}, 1);
    const abort = new AbortController();
    const ranking = ranker.rank(prompt, Array(1000).fill(images[0]), { signal: abort.signal });
    abort.abort(new Error('enough'));
    await expect(ranking).rejects.toThrow('enough');
    await expect(ranker.rank(prompt, images)).resolves.toHaveLength(images.length);
    await ranker.dispose();
  });

  it('refuses an image that is not RGB', async () => {
    const ranker = await load();
    const rgba = { width: 2, height: 2, data: new Uint8Array(16) };
    await expect(ranker.rank(prompt, [rgba])).rejects.toThrow(/2×2 with 16 bytes/);
    await ranker.dispose();
  });
});

describe('fromFiles', () => {
  it.each([0, 1.5])('refuses batches of %d', async (batchSize) => {
    await expect(load({}, batchSize)).rejects.toThrow(RangeError);
  });

  it('refuses a tokenizer with more tokens than the model, and a configuration that is not sound', async () => {
    await expect(load({ config: { ...config, vocabularySize: 500 } })).rejects.toThrow(
      /ids up to 573, and the model a vocabulary of 500/,
    );
    await expect(load({ config: { ...config, patchSize: 7 } })).rejects.toThrow(RangeError);
  });

  it('frees all that it compiled, also when it fails half-way', async () => {
    let open = 0;
    let compiled = 0;
    const counting = (limit: number): Runtime => ({
      name: 'counting',
      async compile(): Promise<Executable> {
        if (compiled++ === limit) throw new Error('no more');
        open++;
        return {
          run: () => Promise.reject(new Error('not run')),
          bind: () => Promise.reject(new Error('not bound')),
          dispose: async () => {
            open--;
          },
        };
      },
      dispose: async () => undefined,
    });
    const ranker = await load({}, 1, counting(2));
    expect(open).toBe(2);
    await ranker.dispose();
    expect(open).toBe(0);
    compiled = 0;
    await expect(load({}, 1, counting(1))).rejects.toThrow('no more');
    expect(open).toBe(0);
  });
});
