import { ClipRanker, type ClipRankerOptions, importClip, loadClipTokenizer } from '@dalle-mini/clip';
import { ConfigError, OptionError } from '@dalle-mini/core';
import type { Executable, Runtime } from '@dalle-mini/graph';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { clipTokenizerJson } from '@dalle-mini/text-encoder/clip';
import { toFloat32 } from '@dalle-mini/weights';
import { afterAll, describe, expect, test } from 'vitest';
import { captions, openaiWeights, pictures, relativeError, tinyClip, tokenizerFiles } from './fixtures.js';

const runtime = new OnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

const { config, weights, outputs } = tinyClip('patch-16');
const { tokenizer, vocabulary, merges } = tokenizerFiles;
const images = pictures.map(({ input }) => input);
// Which captions scripts/reference/clip.py gave to the model.
const prompts = [1, 0, 18, 20].map((index) => captions[index]!.caption);
const prompt = prompts[0]!;

const parameters = importClip(weights, config);
const textTokenizer = await loadClipTokenizer(tokenizer);
const openaiTokenizer = await loadClipTokenizer(clipTokenizerJson(vocabulary, merges));

const create = (options: Partial<ClipRankerOptions> = {}, values = parameters) =>
  new ClipRanker(config, values, { runtime, tokenizer: textTokenizer, ...options });

describe('rank', () => {
  test.each([
    ["Hugging Face's files", parameters, textTokenizer],
    ["OpenAI's weights with vocab.json", importClip(openaiWeights(), config), openaiTokenizer],
  ])('gives the similarities of transformers, from captions and pictures, with %s', async (_, values, tokenizer) => {
    const ranker = create({ tokenizer }, values);
    const scores: number[] = [];
    for (const prompt of prompts) scores.push(...(await ranker.rank(prompt, images)));
    await ranker.dispose();
    // Float32 sums in another order.
    expect(relativeError(scores, toFloat32(outputs.get('similarities')!))).toBeLessThan(1e-5);
  });

  // One, a full batch, one more, and none: an image's score must not depend on its neighbours.
  test.each([0, 1, 3, 4, 7])('scores %i images, three at a time, as it does one by one', async (count) => {
    const ranker = create({ batchSize: 3 });
    const together = await ranker.rank(prompt, images.slice(0, count));
    const apart = toFloat32(outputs.get('similarities')!).slice(0, count);
    expect(together).toHaveLength(count);
    for (const [i, score] of together.entries()) expect(score).toBeCloseTo(apart[i]!, 4);
    await ranker.dispose();
  });

  test('stops between two batches when it is cancelled', async () => {
    const ranker = create({ batchSize: 1 });
    const abort = new AbortController();
    const ranking = ranker.rank(prompt, Array(1000).fill(images[0]), { signal: abort.signal });
    abort.abort(new Error('enough'));
    await expect(ranking).rejects.toThrow('enough');
    await expect(ranker.rank(prompt, images)).resolves.toHaveLength(images.length);
    await ranker.dispose();
  });

  test('refuses an image that is not RGB', async () => {
    const ranker = create();
    const rgba = { width: 2, height: 2, data: new Uint8Array(16) };
    await expect(ranker.rank(prompt, [rgba])).rejects.toThrow('images[0].data must have 12 bytes');
    await ranker.dispose();
  });
});

describe('ClipRanker', () => {
  test.each([0, 1.5])('refuses batches of %d', (batchSize) => {
    expect(() => create({ batchSize })).toThrow(OptionError);
  });

  test('refuses a tokenizer with more tokens than the model, and a configuration that is not valid', () => {
    const withConfig = (changes: object) => () =>
      new ClipRanker({ ...config, ...changes }, parameters, { runtime, tokenizer: textTokenizer });
    expect(withConfig({ vocabularySize: 500 })).toThrow(
      'CLIP config: vocabularySize must be more than 573, the largest id of the tokenizer, not 500.',
    );
    expect(withConfig({ patchSize: 7 })).toThrow(ConfigError);
  });

  test('frees all that it compiled, also when it fails half-way', async () => {
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
    const ranker = create({ runtime: counting(2) });
    await expect(ranker.rank(prompt, images)).rejects.toThrow('not run');
    expect(open).toBe(2);
    await ranker[Symbol.asyncDispose]();
    await expect(ranker.rank(prompt, images)).rejects.toThrow('This ClipRanker was disposed of.');
    expect(open).toBe(0);
    compiled = 0;
    await expect(create({ runtime: counting(1) }).rank(prompt, images)).rejects.toThrow('no more');
    expect(open).toBe(0);
  });
});
