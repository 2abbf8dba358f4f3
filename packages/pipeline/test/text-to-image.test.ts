import { type ImageTokenizer, OptionError, type RgbImage, TextToImage } from '@dalle-mini/pipeline';
import { describe, expect, it } from 'vitest';
import { fakeParts, redRanker } from './fakes.js';

describe('TextToImage', () => {
  it('encodes the prompt and the negative prompt once, and repeats them for every image', async () => {
    const { parts, captions, decoderCalls } = fakeParts();
    await new TextToImage(parts).generate('four', { n: 3, negativePrompt: 'ab' });
    expect(captions).toEqual(['four', 'ab']);
    expect(decoderCalls).toHaveLength(1);
    const { text, options } = decoderCalls[0]!;
    expect(text).toMatchObject({ batch: 3, length: 2, width: 1 });
    expect([...text.hiddenStates]).toEqual([4, 0, 4, 0, 4, 0]);
    expect([...options.unconditional!.hiddenStates]).toEqual([2, 0]);
  });

  it('draws at most eight images at once, each batch with the indices of its images', async () => {
    const { parts, decoderCalls } = fakeParts();
    const images = await new TextToImage(parts).generate('a cat', { n: 19, seed: 5 });
    expect(decoderCalls.map(({ text }) => text.batch)).toEqual([8, 8, 3]);
    expect(decoderCalls.map(({ options }) => [options.seed, options.firstIndex])).toEqual([
      [5, 0],
      [5, 8],
      [5, 16],
    ]);
    expect(images.map(({ index }) => index)).toEqual(Array.from({ length: 19 }, (_, i) => i));
    expect(images.every(({ seed }) => seed === 5)).toBe(true);
  });

  it('takes the sampling of the call, then that of the model, then that of the decoder', async () => {
    const { parts, decoderCalls } = fakeParts();
    const model = new TextToImage({ ...parts, sampling: { temperature: 0.7, topK: 20 } });
    await model.generate('a cat', { topK: 10, topP: undefined });
    expect(decoderCalls[0]!.options).toMatchObject({ temperature: 0.7, topK: 10 });
    expect(decoderCalls[0]!.options).not.toHaveProperty('topP');
    await model.generate('a cat', { topK: 1_000_000 });
    expect(decoderCalls[1]!.options.topK).toBe(256);
  });

  it('reports progress over all batches, up to 1', async () => {
    const fractions: number[] = [];
    const rows: number[] = [];
    await new TextToImage(fakeParts().parts).generate('a cat', {
      n: 16,
      onProgress: ({ fraction, row, firstIndex, tokens }) => {
        fractions.push(fraction);
        rows.push(row);
        expect(tokens).toHaveLength(8);
        expect(firstIndex).toBe(fractions.length > 2 ? 8 : 0);
      },
    });
    expect(fractions).toEqual([0.25, 0.5, 0.75, 1]);
    expect(rows).toEqual([1, 2, 1, 2]);
  });

  it('shows the images so far, white where no row is written yet', async () => {
    const previews: Promise<readonly RgbImage[]>[] = [];
    const { parts } = fakeParts();
    const decoded: number[][] = [];
    const tokenizer: ImageTokenizer = {
      ...parts.tokenizer,
      decode: async (grids) => {
        decoded.push(...grids.map((grid) => [...grid]));
        return grids.map((grid) => ({ width: 1, height: 2, data: Uint8Array.of(grid[0]!, 0, 0, grid[2]!, 0, 0) }));
      },
    };
    await new TextToImage({ ...parts, tokenizer }).generate('a cat', {
      n: 2,
      onProgress: ({ preview }) => previews.push(preview()),
    });
    const [half, whole] = await Promise.all(previews);
    expect(half!.map(({ data }) => [...data])).toEqual([
      [0, 0, 0, 255, 255, 255],
      [1, 0, 0, 255, 255, 255],
    ]);
    expect(whole!.map(({ data }) => [...data])).toEqual([
      [0, 0, 0, 2, 0, 0],
      [1, 0, 0, 2, 0, 0],
    ]);
    // The rows that are missing repeat the last one.
    expect(decoded[0]).toEqual([0, 1, 0, 1]);
  });

  it('decodes all images together where they are to be seamless, and keeps their order', async () => {
    const { parts } = fakeParts();
    const calls: { grids: number; columns: number | undefined }[] = [];
    const tokenizer: ImageTokenizer = {
      ...parts.tokenizer,
      decode: (grids, options) => {
        calls.push({ grids: grids.length, columns: options?.columns });
        return parts.tokenizer.decode(grids);
      },
    };
    const model = new TextToImage({ ...parts, tokenizer, ranker: redRanker() });
    const images = await model.generate('a cat', { n: 9, seamless: true });
    expect(calls).toEqual([{ grids: 9, columns: 3 }]);
    expect(images.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect(images.map(({ score }) => score)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 0]);
    await expect(model.generate('a cat', { n: 8, seamless: true })).rejects.toThrow(
      new OptionError('n', 'must be a square number to be seamless', 8),
    );
  });

  it('puts the images that a ranker likes best first, with their scores', async () => {
    const images = await new TextToImage({ ...fakeParts().parts, ranker: redRanker() }).generate('a cat', { n: 3 });
    expect(images.map(({ score }) => score)).toEqual([2, 1, 0]);
    expect(images.map(({ index }) => index)).toEqual([2, 1, 0]);
    expect(images.map(({ tokens }) => tokens[0])).toEqual([2, 1, 0]);
  });

  it('gives no scores without a ranker', async () => {
    const [image] = await new TextToImage(fakeParts().parts).generate('a cat');
    expect(image).not.toHaveProperty('score');
  });

  it.each(['', '   ', '\n\t', '\u200b\u200d', '\ufeff'])(
    'refuses the blank prompt %j, and says to describe the picture',
    async (prompt) => {
      await expect(new TextToImage(fakeParts().parts).generate(prompt)).rejects.toThrow(
        /^prompt must describe the picture, such as "a red apple", not /,
      );
    },
  );

  it.each([
    ['a \ud800 cat', 'a \ufffd cat'],
    ['\udc00\ud83d', '\ufffd\ufffd'],
    ['a 😀 cat', 'a 😀 cat'],
    ['תפוח אדום', 'תפוח אדום'],
  ])('gives %j to the encoder as %j', async (prompt, encoded) => {
    const { parts, captions } = fakeParts();
    await new TextToImage(parts).generate(prompt);
    expect(captions[0]).toBe(encoded);
  });

  it.each([
    ['n', 0, 'n must be a whole number from 1 to 1000, not 0'],
    ['n', 10_000, 'n must be a whole number from 1 to 1000, not 10000'],
    ['n', 1.5, 'n must be a whole number from 1 to 1000, not 1.5'],
    ['seed', -1, 'seed must be a whole number from 0 to 4294967295, not -1'],
    ['seed', 2 ** 32, 'seed must be a whole number from 0 to 4294967295, not 4294967296'],
    ['temperature', Number.NaN, 'temperature must be a number of 0 or more, not NaN'],
    ['temperature', -1, 'temperature must be a number of 0 or more, not -1'],
    ['temperature', '1', 'temperature must be a number of 0 or more, not "1"'],
    ['topK', 0, 'topK must be a whole number of 1 or more, not 0'],
    ['topP', 0, 'topP must be a number above 0 and at most 1, not 0'],
    ['topP', 1.1, 'topP must be a number above 0 and at most 1, not 1.1'],
    ['guidanceScale', Number.POSITIVE_INFINITY, 'guidanceScale must be a number of 0 or more, not Infinity'],
  ])('refuses %s %s before any work', async (option, value, message) => {
    const { parts, captions } = fakeParts();
    const generating = new TextToImage(parts).generate('a cat', { [option]: value });
    await expect(generating).rejects.toThrow(new OptionError(option, message.replace(/^\w+ |, not .*$/g, ''), value));
    await expect(generating).rejects.toThrow(message);
    expect(captions).toEqual([]);
  });

  it('rejects with the reason of a signal that has aborted, before any work', async () => {
    const { parts, captions } = fakeParts();
    const signal = AbortSignal.abort(new Error('no more'));
    await expect(new TextToImage(parts).generate('a cat', { signal })).rejects.toThrow('no more');
    expect(captions).toEqual([]);
  });

  it('refuses a decoder whose grids are not those of the tokenizer', () => {
    const { parts } = fakeParts();
    const decoder = { ...parts.decoder, gridSize: 16 };
    expect(() => new TextToImage({ ...parts, decoder })).toThrow(
      'The decoder writes 16×16 grids of 256 different tokens and the image tokenizer reads 2×2 grids of 256 different tokens',
    );
  });

  it('refuses a sampling that no call could use', () => {
    expect(() => new TextToImage({ ...fakeParts().parts, sampling: { topP: 2 } })).toThrow(/^topP must be/);
  });

  it('disposes of its parts once, of the runtime last, and then refuses to work', async () => {
    const { parts, disposed } = fakeParts();
    const model = new TextToImage(parts);
    await Promise.all([model.dispose(), model[Symbol.asyncDispose]()]);
    expect(disposed.toSorted()).toEqual(['decoder', 'encoder', 'runtime', 'tokenizer']);
    expect(disposed.at(-1)).toBe('runtime');
    await expect(model.generate('a cat')).rejects.toThrow('This TextToImage was disposed of');
  });
});
