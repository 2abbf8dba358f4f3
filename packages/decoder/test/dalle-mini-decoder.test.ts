import { setImmediate } from 'node:timers/promises';
import { type DecodeOptions, type DecodeProgress, OptionError, type TextEncoding } from '@dalle-mini/core';
import { DalleMiniDecoder } from '@dalle-mini/decoder';
import type { CompileOptions, Executable, Graph, Runtime } from '@dalle-mini/graph';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { pick, randomParameters, randomText, tinyDecoder as tiny } from '@dalle-mini/testing/tiny-decoder';
import { afterAll, describe, expect, test } from 'vitest';

const runtime = new OnnxRuntime();
const parameters = randomParameters(tiny, 1);
const decoder = new DalleMiniDecoder(tiny, parameters, { runtime });
afterAll(() => runtime.dispose());

const text = randomText(3, 2);
const empty = randomText(1, 3);
/** Returns the first tokens of a caption. */
const cut = ({ hiddenStates, attentionMask, width }: TextEncoding, length: number): TextEncoding => ({
  batch: 1,
  length,
  width,
  hiddenStates: hiddenStates.slice(0, length * width),
  attentionMask: attentionMask.slice(0, length),
});
const lists = (grids: readonly Int32Array[]) => grids.map((grid) => [...grid]);
const generate = async (options: DecodeOptions = {}, of: TextEncoding = text) =>
  lists(await decoder.generate(of, options));

describe('generate', () => {
  test('generates a grid of image tokens for each caption', async () => {
    const grids = await decoder.generate(text);
    expect(grids.map((grid) => grid.length)).toEqual([16, 16, 16]);
    expect(grids.every((grid) => grid.every((token) => token >= 0 && token < 24))).toBe(true);
    expect(new Set(lists(grids).map(String)).size).toBe(3);
  });

  test('generates the same tokens for the same seed, others for another seed, and uses seed 0 by default', async () => {
    expect(await generate({ seed: 7 })).toEqual(await generate({ seed: 7 }));
    expect(await generate({ seed: 8 })).not.toEqual(await generate({ seed: 7 }));
    expect(await generate()).toEqual(await generate({ seed: 0 }));
  });

  test('generates image i from its caption and stream i of the seed, independent of the other images', async () => {
    const options = { seed: 4, guidanceScale: 2, unconditional: empty };
    const [first, second, third] = await generate(options);
    expect(await generate(options, pick(text, [0]))).toEqual([first]);
    expect(await generate(options, pick(text, [0, 1]))).toEqual([first, second]);
    expect((await generate(options, pick(text, [1, 1, 2])))[2]).toEqual(third);
    expect((await generate(options, pick(text, [0, 1, 2, 2, 1, 0]))).slice(0, 3)).toEqual([first, second, third]);
  });

  test('continues a batch at the index of its first image', async () => {
    const all = await generate({ seed: 4 });
    const rest = await generate({ seed: 4, firstIndex: 1 }, pick(text, [1, 2]));
    expect(rest).toEqual(all.slice(1));
  });

  test('generates different images from one caption', async () => {
    const [first, second] = await generate({}, pick(text, [0, 0]));
    expect(first).not.toEqual(second);
  });

  test('ignores hidden states of padding', async () => {
    const changed = { ...text, hiddenStates: text.hiddenStates.slice() };
    // The first caption has three tokens of five.
    changed.hiddenStates.fill(9, 3 * text.width, 5 * text.width);
    expect(await generate({}, changed)).toEqual(await generate());
    changed.hiddenStates.fill(9, 0, text.width);
    expect(await generate({}, changed)).not.toEqual(await generate());
  });

  // The padding of the caption and of the unconditional caption, either of which may be longer.
  test.each([
    ['', tiny],
    [', with relative positions', { ...tiny, relativePositions: true, textLength: 9 }],
    [', with cosine attention', { ...tiny, cosineAttention: true }],
  ])('does not need padding, and takes captions of any lengths together%s', async (_, config) => {
    const own = new DalleMiniDecoder(config, randomParameters(config, 1), { runtime });
    const draw = async (of: TextEncoding, unconditional: TextEncoding) =>
      lists(await own.generate(of, { seed: 4, guidanceScale: 2, unconditional }));
    const [first, short] = [pick(text, [0]), cut(pick(text, [0]), 3)];
    const [none, shortNone] = [pick(empty, [0]), cut(pick(empty, [0]), 3)];
    const drawn = await draw(first, none);
    expect(await draw(short, shortNone)).toEqual(drawn);
    expect(await draw(short, none)).toEqual(drawn);
    expect(await draw(first, shortNone)).toEqual(drawn);
    expect(await draw(first, cut(pick(empty, [0]), 2))).not.toEqual(drawn);
    await own.dispose();
  });

  test('chooses the most likely token at temperature 0, with topK 1, with the smallest topP and at the smallest temperature', async () => {
    const greedy = await generate({ temperature: 0 });
    expect(await generate({ temperature: 0, seed: 5 })).toEqual(greedy);
    expect(await generate({ topK: 1 })).toEqual(greedy);
    expect(await generate({ topP: Number.MIN_VALUE })).toEqual(greedy);
    expect(await generate({ temperature: Number.MIN_VALUE })).toEqual(greedy);
    expect(await generate()).not.toEqual(greedy);
  });

  test('keeps all tokens with topK of at least the vocabulary size', async () => {
    const all = await generate();
    expect(await generate({ topK: 24 })).toEqual(all);
    expect(await generate({ topK: 2 ** 40 })).toEqual(all);
  });

  test('ignores the unconditional caption without guidance', async () => {
    expect(await generate({ guidanceScale: 1, unconditional: empty })).toEqual(await generate());
  });

  test('with guidance 0 generates from the unconditional caption', async () => {
    expect(await generate({ guidanceScale: 0, unconditional: empty })).toEqual(
      await generate({}, pick(empty, [0, 0, 0])),
    );
  });

  test('gives the same result with guidance by the caption itself as without, at any scale', async () => {
    const one = pick(text, [1]);
    // u + s · (c − u) is exactly u where c is u.
    expect(await generate({ guidanceScale: 50, unconditional: one }, one)).toEqual(await generate({}, one));
  });

  test('does not change the encodings', async () => {
    const copies = structuredClone([text, empty]);
    await generate({ guidanceScale: 3, unconditional: empty });
    await generate();
    expect([text, empty]).toEqual(copies);
  });

  test('works on views of larger buffers', async () => {
    const view = <A extends Float32Array | Int32Array>(data: A): A => {
      const larger = new (data.constructor as new (length: number) => A)(data.length + 10);
      larger.set(data, 5);
      return larger.subarray(5, 5 + data.length) as A;
    };
    const { hiddenStates, attentionMask } = text;
    const views = { ...text, hiddenStates: view(hiddenStates), attentionMask: view(attentionMask) };
    expect(await generate({}, views)).toEqual(await generate());
  });

  test('can be called concurrently', async () => {
    const [first, second] = await Promise.all([generate({ seed: 1 }), generate({ seed: 2 })]);
    expect([first, second]).toEqual([await generate({ seed: 1 }), await generate({ seed: 2 })]);
  });
});

describe('initial', () => {
  const initial = (rows: number, grids: readonly Int32Array[]) => ({
    grids,
    keep: new Uint8Array(16).fill(1, 0, 4 * rows),
  });

  test('keeps whole rows exactly, and generates the others after them', async () => {
    const grids = [5, 6, 7].map((seed) => Int32Array.from({ length: 16 }, (_, i) => (seed * i + 3) % 24));
    const options = { seed: 4, guidanceScale: 2, unconditional: empty };
    const completed = await generate({ ...options, initial: initial(2, grids) });
    expect(completed.map((grid) => grid.slice(0, 8))).toEqual(grids.map((grid) => [...grid.slice(0, 8)]));
    const free = await generate(options);
    expect(completed.map((grid) => grid.slice(8))).not.toEqual(free.map((grid) => grid.slice(8)));
  });

  test('continues its own tokens as without them, from any row', async () => {
    const options = { seed: 4, guidanceScale: 2, unconditional: empty };
    const grids = await decoder.generate(text, options);
    for (const rows of [0, 1, 3, 4])
      expect(await generate({ ...options, initial: initial(rows, grids) })).toEqual(lists(grids));
  });

  test('is refused if tokens are kept that are not whole rows from the top', async () => {
    const grids = await decoder.generate(text);
    const message =
      'initial.keep must be 1 for whole rows from the top, and 0 for the others, because this decoder generates row by row. Only masked decoders can keep any tokens.';
    for (const places of [[0], [4, 5, 6, 7], [0, 1, 2, 3, 5]]) {
      const keep = new Uint8Array(16);
      for (const place of places) keep[place] = 1;
      await expect(decoder.generate(text, { initial: { grids, keep } })).rejects.toThrow(message);
    }
  });

  test('is refused with a strength, and so are options of passes, by the names of what has them', async () => {
    const grids = await decoder.generate(text);
    await expect(
      decoder.generate(text, { initial: { grids, keep: new Uint8Array(16), strength: 0.5 } }),
    ).rejects.toThrow(
      'initial.strength must be 1 or left out, because this decoder generates row by row. Only masked decoders can vary an image.',
    );
    await expect(decoder.generate(text, { passes: 8 })).rejects.toThrow(
      'passes must be left out, because this decoder generates row by row. Only masked decoders generate in passes.',
    );
  });

  test('is refused if it does not fit the decoder', async () => {
    const grids = await decoder.generate(text);
    const refused = (grids: readonly Int32Array[], keep = new Uint8Array(16)) =>
      expect(decoder.generate(text, { initial: { grids, keep } })).rejects;
    await refused(grids.slice(1)).toThrow('initial.grids must be 3 grids, one for each caption, not 2.');
    await refused(grids, new Uint8Array(15)).toThrow('initial.keep must be 16 numbers, one for each token, not 15.');
    await refused([...grids.slice(1), new Int32Array(4)]).toThrow(
      'initial.grids[2] must be a grid of 16 tokens, not 4.',
    );
    const unknown = new Int32Array(16).fill(24, 3, 4);
    await refused([...grids.slice(1), unknown]).toThrow('initial.grids[2] must be tokens from 0 to 23, not 24.');
  });
});

describe('onProgress', () => {
  test('is waited for, and its error ends the call', async () => {
    const rows: number[] = [];
    const onProgress = async ({ done: row }: DecodeProgress) => {
      await setImmediate();
      rows.push(row);
      if (row === 2) throw new Error('no space left');
    };
    await expect(decoder.generate(text, { onProgress })).rejects.toThrow('no space left');
    expect(rows).toEqual([1, 2]);
  });

  test('is called after each row, with the grids so far', async () => {
    const calls: DecodeProgress[] = [];
    const grids = await decoder.generate(text, { onProgress: (progress) => calls.push(progress) });
    expect(calls.map(({ tokens, ...progress }) => progress)).toEqual(
      [1, 2, 3, 4].map((done) => ({ stage: 'generate', unit: 'rows', done, total: 4 })),
    );
    for (const { done, tokens } of calls) {
      expect(lists(tokens)).toEqual(grids.map((grid) => [...grid.subarray(0, 4 * done)]));
    }
  });

  test('may change the grids that it gets', async () => {
    const expected = await generate();
    const onProgress = ({ tokens }: DecodeProgress) => {
      for (const grid of tokens) grid.fill(-1);
    };
    expect(await generate({ onProgress })).toEqual(expected);
  });
});

describe('signal', () => {
  test('cancels between two rows, and the promise rejects with its reason', async () => {
    const controller = new AbortController();
    const rows: number[] = [];
    const onProgress = ({ done }: DecodeProgress) => {
      rows.push(done);
      if (done === 2) controller.abort('enough');
    };
    await expect(decoder.generate(text, { signal: controller.signal, onProgress })).rejects.toBe('enough');
    expect(rows).toEqual([1, 2]);
    expect(await generate()).toHaveLength(3);
  });

  test('that has already aborted prevents all work', async () => {
    const recorder = new Recorder();
    const signal = AbortSignal.abort('too late');
    const generated = new DalleMiniDecoder(tiny, parameters, { runtime: recorder }).generate(text, { signal });
    await expect(generated).rejects.toBe('too late');
    expect(recorder.compiled).toBe(0);
  });
});

describe('refused with the name of the option or field:', () => {
  const guided = { guidanceScale: 2, unconditional: empty };
  const refusal = (options: DecodeOptions, of = text) => decoder.generate(of, options);

  test.each<[keyof DecodeOptions, unknown, string]>([
    ['temperature', -0.1, 'a number of at least 0, not -0.1'],
    ['temperature', Number.NaN, 'a number of at least 0, not NaN'],
    ['topK', 0, 'a whole number of at least 1, not 0'],
    ['topP', 1.01, 'a number above 0 and of at most 1, not 1.01'],
    ['guidanceScale', 1e39, 'a number of at least 0 and of at most 3.4028234663852886e+38, not 1e+39'],
    ['seed', 2 ** 53, 'a whole number of at least 0, not 9007199254740992'],
    ['firstIndex', -1, 'a whole number from 0 to 4503599627370496, not -1'],
    ['unconditional', 'a cat', 'a text encoding, not "a cat"'],
    ['onProgress', true, 'a function, not true'],
    ['signal', {}, 'an AbortSignal, not an object'],
  ])('%s %j', async (name, value, expected) => {
    const refused = refusal({ [name]: value });
    await expect(refused).rejects.toThrow(OptionError);
    await expect(refused).rejects.toThrow(`${name} must be ${expected}.`);
  });

  test('an unknown option', async () => {
    await expect(refusal({ guidance: 2 } as DecodeOptions)).rejects.toThrow(
      'The option guidance of generate is not known. Did you mean guidanceScale?',
    );
  });

  test('guidance without the unconditional caption', async () => {
    await expect(refusal({ guidanceScale: 2 })).rejects.toThrow(
      'unconditional must be the encoding of one caption, empty or negative, if guidanceScale is not 1, not undefined.',
    );
  });

  test('two unconditional captions', async () => {
    await expect(refusal({ ...guided, unconditional: randomText(2, 3) })).rejects.toThrow(
      'unconditional.batch must be 1: the encoding of one caption',
    );
  });

  test('hidden states of another width', async () => {
    const wide = { width: 16 };
    const message = 'width must be 12, the width of the text encoder that this decoder was trained with, not 16.';
    await expect(refusal({}, randomText(1, 1, wide))).rejects.toThrow(`text.${message}`);
    await expect(refusal({ ...guided, unconditional: randomText(1, 1, wide) })).rejects.toThrow(
      `unconditional.${message}`,
    );
  });

  test('captions longer than textLength with relative positions', async () => {
    const config = { ...tiny, relativePositions: true, textLength: text.length - 1 };
    await expect(new DalleMiniDecoder(config, parameters, { runtime }).generate(text)).rejects.toThrow(
      `text.length must be at most ${text.length - 1}, because positions are relative, not ${text.length}.`,
    );
  });

  test('no captions, and captions without tokens', async () => {
    await expect(refusal({}, pick(text, []))).rejects.toThrow('text.batch must be at least 1, not 0.');
    await expect(refusal({}, randomText(2, 1, { length: 0 }))).rejects.toThrow(
      'text.length must be at least 1, not 0.',
    );
  });

  test('an encoding with data of the wrong length', async () => {
    await expect(refusal({}, { ...text, batch: 2 })).rejects.toThrow(
      'text.hiddenStates must be 120 numbers, of shape [2, 5, 12], not 180.',
    );
    const unconditional = { ...empty, attentionMask: new Int32Array(4) };
    await expect(refusal({ ...guided, unconditional })).rejects.toThrow(
      'unconditional.attentionMask must be 5 numbers, of shape [1, 5], not 4.',
    );
  });

  test('an invalid configuration, by the constructor', () => {
    expect(() => new DalleMiniDecoder({ ...tiny, layers: 0 }, parameters, { runtime })).toThrow(
      'decoder config: layers',
    );
  });

  test('weights without a parameter', async () => {
    const some = new Map([...parameters].filter(([name]) => name !== 'layers.1.glu.fc1.weight'));
    await expect(new DalleMiniDecoder(tiny, some, { runtime }).generate(text)).rejects.toThrow(
      'layers.1.glu.fc1.weight',
    );
  });
});

/** A runtime that counts compiled and disposed graphs, and can fail on request. */
class Recorder implements Runtime {
  readonly name = 'recorder';
  compiled = 0;
  open = 0;
  failAt: number | undefined;

  async compile(graph: Graph, options?: CompileOptions): Promise<Executable> {
    if (++this.compiled === this.failAt) throw new Error('no memory left');
    const executable = await runtime.compile(graph, options);
    this.open++;
    return {
      run: (inputs, options) => executable.run(inputs, options),
      bind: (inputs) => executable.bind(inputs),
      dispose: async () => {
        this.open--;
        await executable.dispose();
      },
    };
  }

  async dispose(): Promise<void> {}
}

describe('the compiled graphs', () => {
  test('can be prepared for options', async () => {
    const recorder = new Recorder();
    const own = new DalleMiniDecoder(tiny, parameters, { runtime: recorder });
    await own.prepare(3, { guidanceScale: 2, topK: 5 });
    expect(recorder.compiled).toBe(2);
    const options = { guidanceScale: 3, seed: 4, unconditional: empty };
    expect(lists(await own.generate(text, options))).toEqual(await generate(options));
    expect(recorder.compiled).toBe(2);
    await own.generate(pick(text, [0]), options);
    expect(recorder.compiled).toBe(4);
    await expect(own.prepare(0)).rejects.toThrow('images must be a whole number of at least 1, not 0.');
    await expect(own.prepare(1, { topK: 0 })).rejects.toThrow('topK must be');
    await own.dispose();
    expect(recorder.open).toBe(0);
    await expect(own.prepare(1)).rejects.toThrow('disposed of');
  });

  test('are two for each number of images, with and without guidance, and are reused', async () => {
    const recorder = new Recorder();
    const own = new DalleMiniDecoder(tiny, parameters, { runtime: recorder });
    await own.generate(text);
    await own.generate(text, { temperature: 0.5, topK: 3, topP: 0.9, seed: 1 });
    expect(recorder.compiled).toBe(2);
    await own.generate(text, { guidanceScale: 2, unconditional: empty });
    await own.generate(text, { guidanceScale: 3, unconditional: empty });
    expect(recorder.compiled).toBe(4);
    await own.dispose();
    expect(recorder.open).toBe(0);
  });

  test('are freed by dispose, after which generate rejects', async () => {
    const recorder = new Recorder();
    const own = new DalleMiniDecoder(tiny, parameters, { runtime: recorder });
    await own.generate(text);
    await own.dispose();
    await own.dispose();
    expect(recorder.open).toBe(0);
    await expect(own.generate(text)).rejects.toThrow('This decoder was disposed of');
  });

  test('are compiled again after a failure, which frees the others', async () => {
    const recorder = new Recorder();
    recorder.failAt = 2;
    const own = new DalleMiniDecoder(tiny, parameters, { runtime: recorder });
    await expect(own.generate(text)).rejects.toThrow('no memory left');
    expect(recorder.open).toBe(0);
    expect(lists(await own.generate(text))).toEqual(await generate());
    await own.dispose();
  });
});
