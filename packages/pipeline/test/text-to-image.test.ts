import { object, readOptions } from '@dalle-mini/core';
import {
  checkPrompt,
  DisposedError,
  type ImageTokenizer,
  OptionError,
  type RgbImage,
  TextToImage,
} from '@dalle-mini/pipeline';
import { type GenerateNumbers, generateNumbers, imagePromptFields } from '@dalle-mini/pipeline/text-to-image';
import { describe, expect, test } from 'vitest';
import { fakeParts, redRanker } from './fakes.js';

describe('TextToImage', () => {
  test('encodes the prompt and the negative prompt once, and repeats them for every image', async () => {
    const { parts, captions, decoderCalls } = fakeParts();
    await new TextToImage(parts).generate('four', { n: 3, negativePrompt: 'ab' });
    expect(captions).toEqual(['four', 'ab']);
    expect(decoderCalls).toHaveLength(1);
    const { text, options } = decoderCalls[0]!;
    expect(text).toMatchObject({ batch: 3, length: 2, width: 1 });
    expect([...text.hiddenStates]).toEqual([4, 0, 4, 0, 4, 0]);
    expect([...options.unconditional!.hiddenStates]).toEqual([2, 0]);
  });

  test('generates at most eight images at once, each with its own index', async () => {
    const { parts, decoderCalls } = fakeParts();
    const images = await new TextToImage(parts).generate('a cat', { n: 19, seed: 5 });
    expect(decoderCalls.map(({ text }) => text.batch)).toEqual([8, 8, 3]);
    expect(decoderCalls.map(({ options }) => options.seed)).toEqual([5, 5, 5]);
    expect(decoderCalls.map(({ options }) => options.firstIndex)).toEqual([0, 8, 16]);
    expect(images.map(({ index }) => index)).toEqual(Array.from({ length: 19 }, (_, i) => i));
    expect(images.every(({ seed }) => seed === 5)).toBe(true);
  });

  test('uses the sampling of the call, else that of the model, else that of the decoder', async () => {
    const { parts, decoderCalls } = fakeParts();
    const model = new TextToImage({ ...parts, sampling: { temperature: 0.7, topK: 20 } });
    await model.generate('a cat', { topK: 10, topP: undefined });
    expect(decoderCalls[0]!.options).toMatchObject({ temperature: 0.7, topK: 10 });
    expect(decoderCalls[0]!.options).not.toHaveProperty('topP');
    await model.generate('a cat', { topK: 1_000_000 });
    expect(decoderCalls[1]!.options.topK).toBe(256);
  });

  test('reports progress over all batches, up to 1', async () => {
    const fractions: number[] = [];
    const rows: number[] = [];
    await new TextToImage(fakeParts().parts).generate('a cat', {
      n: 16,
      onProgress: ({ stage, unit, done, total, row, firstIndex, tokens }) => {
        expect({ stage, unit, total }).toEqual({ stage: 'generate', unit: 'rows', total: 32 });
        fractions.push(done / total);
        rows.push(row);
        expect(tokens).toHaveLength(8);
        expect(firstIndex).toBe(fractions.length > 2 ? 8 : 0);
      },
    });
    expect(fractions).toEqual([0.25, 0.5, 0.75, 1]);
    expect(rows).toEqual([1, 2, 1, 2]);
  });

  test('previews the images, with missing rows in white', async () => {
    const previews: Promise<readonly RgbImage[]>[] = [];
    const { parts } = fakeParts();
    const decoded: number[][] = [];
    const imageTokenizer: ImageTokenizer = {
      ...parts.imageTokenizer,
      decode: async (grids) => {
        decoded.push(...grids.map((grid) => [...grid]));
        return grids.map((grid) => ({ width: 1, height: 2, data: Uint8Array.of(grid[0]!, 0, 0, grid[2]!, 0, 0) }));
      },
    };
    await new TextToImage({ ...parts, imageTokenizer }).generate('a cat', {
      n: 2,
      onProgress: ({ preview }) => {
        previews.push(preview());
      },
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
    // Missing rows repeat the last one.
    expect(decoded[0]).toEqual([0, 1, 0, 1]);
  });

  test('decodes seamless images together, and keeps their order', async () => {
    const { parts } = fakeParts();
    const calls: { grids: number; columns: number | undefined }[] = [];
    const imageTokenizer: ImageTokenizer = {
      ...parts.imageTokenizer,
      decode: (grids, options) => {
        calls.push({ grids: grids.length, columns: options?.columns });
        return parts.imageTokenizer.decode(grids);
      },
    };
    const model = new TextToImage({ ...parts, imageTokenizer, ranker: redRanker() });
    const images = await model.generate('a cat', { n: 9, seamless: true });
    expect(calls).toEqual([{ grids: 9, columns: 3 }]);
    expect(images.map(({ index }) => index)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect(images.map(({ score }) => score)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 0]);
    await expect(model.generate('a cat', { n: 8, seamless: true })).rejects.toThrow(
      new OptionError('n', 'a square number if seamless is true', 8),
    );
  });

  test('sorts the images by the scores of the ranker, best first', async () => {
    const images = await new TextToImage({ ...fakeParts().parts, ranker: redRanker() }).generate('a cat', { n: 3 });
    expect(images.map(({ score }) => score)).toEqual([2, 1, 0]);
    expect(images.map(({ index }) => index)).toEqual([2, 1, 0]);
    expect(images.map(({ tokens }) => tokens[0])).toEqual([2, 1, 0]);
  });

  test('gives no scores without a ranker', async () => {
    const [image] = await new TextToImage(fakeParts().parts).generate('a cat');
    expect(image!.score).toBeUndefined();
  });

  test.each(['', '   ', '\n\t', '\u200b\u200d', '\ufeff'])('refuses the blank prompt %j', async (prompt) => {
    await expect(new TextToImage(fakeParts().parts).generate(prompt)).rejects.toThrow(
      /^prompt must be a description of the image, such as "a red apple", not /,
    );
  });

  test.each([
    ['a \ud800 cat', 'a \ufffd cat'],
    ['\udc00\ud83d', '\ufffd\ufffd'],
    ['a 😀 cat', 'a 😀 cat'],
    ['תפוח אדום', 'תפוח אדום'],
  ])('gives %j to the encoder as %j', async (prompt, encoded) => {
    const { parts, captions } = fakeParts();
    await new TextToImage(parts).generate(prompt);
    expect(captions[0]).toBe(encoded);
  });

  test.each([
    [{ n: 0 }, 'n must be a whole number from 1 to 1000, not 0.'],
    [{ n: 10_000 }, 'n must be a whole number from 1 to 1000, not 10000.'],
    [{ n: 1.5 }, 'n must be a whole number from 1 to 1000, not 1.5.'],
    [{ seed: -1 }, 'seed must be a whole number of at least 0, not -1.'],
    [{ seed: 2 ** 53 }, 'seed must be a whole number of at least 0, not 9007199254740992.'],
    [{ temperature: Number.NaN }, 'temperature must be a number of at least 0, not NaN.'],
    [{ temperature: '1' }, 'temperature must be a number of at least 0, not "1".'],
    [{ topK: 0 }, 'topK must be a whole number of at least 1, not 0.'],
    [{ topP: 0 }, 'topP must be a number above 0 and of at most 1, not 0.'],
    [{ topP: 1.1 }, 'topP must be a number above 0 and of at most 1, not 1.1.'],
    [
      { guidanceScale: 1e39 },
      'guidanceScale must be a number of at least 0 and of at most 3.4028234663852886e+38, not 1e+39.',
    ],
    [{ negativePrompt: 1 }, 'negativePrompt must be a string, not 1.'],
    [{ seamless: 'yes' }, 'seamless must be true or false, not "yes".'],
    [{ signal: {} }, 'signal must be an AbortSignal, not an object.'],
    [{ count: 4 }, 'The option count of generate is not known.'],
    [{ guidance: 4 }, 'The option guidance of generate is not known. Did you mean guidanceScale?'],
  ])('refuses %j before any work', async (options, message) => {
    const { parts, captions } = fakeParts();
    const generating = new TextToImage(parts).generate('a cat', options as object);
    await expect(generating).rejects.toThrow(OptionError);
    await expect(generating).rejects.toThrow(message);
    expect(captions).toEqual([]);
  });

  test('chooses a random seed by default, and returns it', async () => {
    const { parts, decoderCalls } = fakeParts();
    const model = new TextToImage(parts);
    const seeds = [];
    for (let i = 0; i < 3; i++) seeds.push((await model.generate('a cat', { seed: undefined }))[0]!.seed);
    expect(decoderCalls.map(({ options }) => options.seed)).toEqual(seeds);
    // The probability of three equal seeds is 2⁻⁶⁴.
    expect(new Set(seeds).size).toBeGreaterThan(1);
  });

  test('passes on the warnings of the text encoder', async () => {
    const { parts } = fakeParts();
    const warning = { kind: 'truncated', message: 'The prompt is too long.' } as const;
    const textEncoder = {
      ...parts.textEncoder,
      encode: async (captions: readonly string[]) => ({
        ...(await parts.textEncoder.encode(captions)),
        warnings: [[warning], []],
      }),
    };
    const [picture] = await new TextToImage({ ...parts, textEncoder }).generate('a long prompt');
    expect(picture!.warnings).toEqual([warning]);
  });

  test.each([
    [
      'throws',
      () => {
        throw new Error('no more');
      },
    ],
    ['rejects', () => Promise.reject(new Error('no more'))],
  ])('rejects when its callback %s', async (_, onProgress) => {
    await expect(new TextToImage(fakeParts().parts).generate('a cat', { onProgress })).rejects.toThrow('no more');
  });

  test('rejects with the reason of a signal that has aborted, before any work', async () => {
    const { parts, captions } = fakeParts();
    const signal = AbortSignal.abort(new Error('no more'));
    await expect(new TextToImage(parts).generate('a cat', { signal })).rejects.toThrow('no more');
    expect(captions).toEqual([]);
  });

  test('refuses a decoder with other grids than the image tokenizer', () => {
    const { parts } = fakeParts();
    const decoder = { ...parts.decoder, gridSize: 16 };
    expect(() => new TextToImage({ ...parts, decoder })).toThrow(
      'decoder must be one that generates 2 × 2 grids of 256 tokens, like the image tokenizer, not 16 × 16 grids of 256 tokens.',
    );
  });

  test('refuses sampling options that are out of range', () => {
    expect(() => new TextToImage({ ...fakeParts().parts, sampling: { topP: 2 } })).toThrow(/^topP must be/);
  });

  test('disposes of its parts once, of the runtime last, and then refuses calls', async () => {
    const { parts, disposed } = fakeParts();
    const model = new TextToImage(parts);
    await Promise.all([model.dispose(), model[Symbol.asyncDispose]()]);
    expect(disposed.toSorted()).toEqual(['decoder', 'imageTokenizer', 'runtime', 'textEncoder']);
    expect(disposed.at(-1)).toBe('runtime');
    await expect(model.generate('a cat')).rejects.toThrow(DisposedError);
    await expect(model.generate('a cat')).rejects.toThrow('This model was disposed of');
  });
});

describe('stream', () => {
  test('yields the progress after each row, and the images at the end', async () => {
    const rows: number[] = [];
    const images: (number | undefined)[] = [];
    for await (const update of new TextToImage(fakeParts().parts).stream('a cat', { n: 2, seed: 3 })) {
      rows.push(update.row);
      images.push(update.images?.length);
    }
    expect(rows).toEqual([1, 2]);
    expect(images).toEqual([undefined, 2]);
  });

  test('throws the errors of generate', async () => {
    const model = new TextToImage(fakeParts().parts);
    await expect(model.stream('a cat', { n: 0 }).next()).rejects.toThrow('n must be');
    const signal = AbortSignal.abort(new Error('no more'));
    await expect(model.stream('a cat', { signal }).next()).rejects.toThrow('no more');
  });

  test('cancels the work when the loop ends early', async () => {
    const { parts } = fakeParts();
    let aborted: unknown;
    const decoder: typeof parts.decoder = {
      ...parts.decoder,
      async generate(text, options = {}) {
        const progress = { stage: 'generate', unit: 'rows', total: 2, tokens: [Int32Array.of(1, 2)] } as const;
        options.onProgress?.({ ...progress, done: 1 });
        options.onProgress?.({ ...progress, done: 2 });
        await new Promise((resolve) => options.signal!.addEventListener('abort', resolve));
        aborted = options.signal!.aborted;
        return parts.decoder.generate(text);
      },
    };
    for await (const { row } of new TextToImage({ ...parts, decoder }).stream('a cat')) {
      expect(row).toBe(1);
      break;
    }
    expect(aborted).toBe(true);
  });
});

describe('image', () => {
  const image = { width: 1, height: 1, data: Uint8Array.of(9, 0, 0) };

  test('is encoded once, and each image starts from its tokens with half of the rows kept', async () => {
    const { parts, decoderCalls } = fakeParts();
    await new TextToImage(parts).generate('a cat', { n: 9, image });
    const starts = decoderCalls.map(({ options }) => options.initial!);
    expect(starts.map(({ grids }) => grids.length)).toEqual([8, 1]);
    for (const { grids, keep } of starts) {
      for (const grid of grids) expect([...grid]).toEqual([9, 1, 2, 3]);
      expect([...keep]).toEqual([1, 1, 0, 0]);
    }
  });

  test('keeps the number of rows that is asked for', async () => {
    const { parts, decoderCalls } = fakeParts();
    const sized = { gridSize: 4, vocabularySize: 256 };
    const model = new TextToImage({
      ...parts,
      decoder: { ...parts.decoder, ...sized },
      imageTokenizer: { ...parts.imageTokenizer, ...sized },
    });
    await model.generate('a cat', { image, keepRows: 3 });
    expect(decoderCalls[0]!.options.initial!.keep).toEqual(new Uint8Array(16).fill(1, 0, 12));
    await expect(model.generate('a cat', { image, keepRows: 4 })).rejects.toThrow(
      'keepRows must be at most 3, because the model has 4 rows of tokens, not 4.',
    );
  });

  test('of another size is refused with the fix', async () => {
    const { parts, decoderCalls } = fakeParts();
    const wide = { width: 2, height: 1, data: new Uint8Array(6) };
    await expect(new TextToImage(parts).generate('a cat', { image: wide })).rejects.toThrow(
      "image must have 1 × 1 pixels, the size of the model's images, not 2 × 1. Read it with decodeImage(path, 1) of @dalle-mini/data, which scales and crops it.",
    );
    const rgba = { width: 1, height: 1, data: new Uint8Array(4) };
    await expect(new TextToImage(parts).generate('a cat', { image: rgba })).rejects.toThrow('Remove the alpha channel');
    expect(decoderCalls).toEqual([]);
  });

  test('is refused by a decoder that cannot start from one', async () => {
    const { parts } = fakeParts();
    const { keeps, ...decoder } = parts.decoder;
    await expect(new TextToImage({ ...parts, decoder }).generate('a cat', { image })).rejects.toThrow(
      'image must be left out, because the decoder of this model cannot start from an image',
    );
  });

  test('must be there if something is kept of it', async () => {
    const model = new TextToImage(fakeParts().parts);
    for (const options of [{ keepRows: 1 }, { mask: image }, { strength: 0.5 }])
      await expect(model.generate('a cat', options)).rejects.toThrow(
        `image must be given if ${Object.keys(options)[0]} is, not undefined.`,
      );
  });

  /** A model of 4 × 4 tokens of 2 × 2 pixels. */
  function maskedModel(keeps: 'any' | 'rows' = 'any') {
    const { parts, decoderCalls } = fakeParts();
    const sized = { gridSize: 4, vocabularySize: 256 };
    const model = new TextToImage({
      ...parts,
      decoder: { ...parts.decoder, ...sized, keeps },
      imageTokenizer: { ...parts.imageTokenizer, ...sized, imageSize: 8 },
    });
    return { model, decoderCalls };
  }
  const gray = { width: 8, height: 8, data: new Uint8Array(192).fill(100) };
  const maskOf = (...whitePixels: [x: number, y: number][]) => {
    const data = new Uint8Array(192);
    for (const [x, y] of whitePixels) data[3 * (8 * y + x) + 1] = 255;
    return { width: 8, height: 8, data };
  };

  test('is generated where a mask has a white pixel', async () => {
    const { model, decoderCalls } = maskedModel();
    await model.generate('a cat', { image: gray, mask: maskOf([3, 0], [2, 1], [7, 7]), strength: 0.7 });
    const { keep, strength } = decoderCalls[0]!.options.initial!;
    expect([...keep]).toEqual([1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0]);
    expect(strength).toBe(0.7);
  });

  test('is varied as a whole with a strength alone, and below the kept rows with both', async () => {
    const { model, decoderCalls } = maskedModel();
    await model.generate('a cat', { image: gray, strength: 0.3 });
    expect(decoderCalls[0]!.options.initial).toMatchObject({ keep: new Uint8Array(16), strength: 0.3 });
    await model.generate('a cat', { image: gray, keepRows: 1, strength: 0.3 });
    expect(decoderCalls[1]!.options.initial).toMatchObject({ keep: new Uint8Array(16).fill(1, 0, 4), strength: 0.3 });
  });

  test('is refused with a mask that has no white pixel, another size, or rows besides', async () => {
    const { model } = maskedModel();
    const refused = (options: object) => expect(model.generate('a cat', { image: gray, ...options })).rejects;
    await refused({ mask: maskOf() }).toThrow('mask must have white pixels, where the image is generated.');
    await refused({ mask: image }).toThrow('mask must have 8 × 8 pixels');
    await refused({ mask: maskOf([0, 0]), keepRows: 1 }).toThrow('keepRows must be left out if mask is given, not 1.');
    await refused({ strength: 0 }).toThrow('strength must be a number above 0 and of at most 1, not 0.');
  });

  test('cannot be edited by a decoder that generates row by row, and the error names what can', async () => {
    const { model, decoderCalls } = maskedModel('rows');
    const fix =
      'it can only keep rows from the top, with keepRows. Use a model with a masked decoder, such as aMUSEd or one that was trained with the kind "masked".';
    await expect(model.generate('a cat', { image: gray, mask: maskOf([0, 0]) })).rejects.toThrow(
      `mask must be left out, because the decoder of this model generates row by row: ${fix}`,
    );
    await expect(model.generate('a cat', { image: gray, strength: 0.5 })).rejects.toThrow(
      `strength must be 1 or left out, because the decoder of this model generates row by row: ${fix}`,
    );
    expect(decoderCalls).toEqual([]);
  });
});

test('a prompt can be checked before a model is there, as generate does', () => {
  expect(checkPrompt(' a red apple ')).toBe(' a red apple ');
  expect(checkPrompt('\ud83c a \ud83c\udf4e')).toBe('\ufffd a \ud83c\udf4e');
  for (const blank of ['', ' \n', '\u200b']) expect(() => checkPrompt(blank)).toThrow(OptionError);
});

test('the options of an image to start from are checked as those of generate, for a command line', () => {
  expect(imagePromptFields.keepRows.read(3, 'keepRows')).toBe(3);
  expect(imagePromptFields.strength.read(0.5, 'strength')).toBe(0.5);
  expect(() => imagePromptFields.keepRows.read(0, 'keepRows')).toThrow('keepRows must be a whole number of at least 1');
  expect(() => imagePromptFields.strength.read(1.5, 'strength')).toThrow('strength must be a number above 0');
});

test('the numbers of generating are checked as its options are, for a command line', () => {
  const read = (options: unknown) => readOptions(object<GenerateNumbers>(generateNumbers), options, 'generate');
  expect(read({})).toEqual({ n: 1 });
  expect(read({ n: 1000, seed: 0, temperature: 0 })).toEqual({ n: 1000, seed: 0, temperature: 0 });
  expect(() => read({ n: 1001 })).toThrow('n must be a whole number from 1 to 1000, not 1001.');
  expect(() => read({ negativePrompt: 'a cat' })).toThrow('negativePrompt');
});
