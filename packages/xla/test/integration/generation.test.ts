import type { DecodeOptions, TextEncoding } from '@dalle-mini/core';
import {
  type AnyDecoderConfig,
  type AutoregressiveDecoderOptions,
  createDecoder,
  DalleMiniDecoder,
  type DecoderConfig,
  MaskedDecoder,
  maskedModel,
} from '@dalle-mini/decoder';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { decodeParameter, quantizeBlocks, type StoredParameter } from '@dalle-mini/graph/stored';
import { fromPretrained } from '@dalle-mini/pipeline';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { randomParameters, randomText, tinyDecoder, tinyMaskedDecoder } from '@dalle-mini/testing/tiny-decoder';
import { writeTinyModel } from '@dalle-mini/testing/tiny-model';
import { cpuPlugin, describeXla } from '@dalle-mini/testing/xla';
import { XlaRuntime } from '@dalle-mini/xla';
import { afterAll, beforeAll, expect, test } from 'vitest';

const config: DecoderConfig = { ...tinyDecoder, vocabularySize: 40 };

describeXla('generating on XLA', () => {
  let runtime: XlaRuntime;
  let onnx: OnnxRuntime;
  beforeAll(async () => {
    runtime = await XlaRuntime.open({ plugin: cpuPlugin, cache: { maxBytes: 0 } });
    onnx = new OnnxRuntime({ threads: 1 });
  });
  afterAll(() => Promise.all([runtime?.dispose(), onnx?.dispose()]));

  const unconditional = randomText(1, 4, { length: 2 });
  const guided = [randomText(2, 5), { seed: 3, guidanceScale: 3, unconditional, firstIndex: 4 }] as const;

  async function tokens(
    parameters: ReadonlyMap<string, StoredParameter>,
    options: AutoregressiveDecoderOptions,
    calls: readonly (readonly [TextEncoding, DecodeOptions])[] = [guided],
  ) {
    const decoder = new DalleMiniDecoder(config, parameters, options);
    const grids: number[][] = [];
    for (const [text, sampling] of calls)
      grids.push(...(await decoder.generate(text, sampling)).map((grid) => [...grid]));
    await decoder.dispose();
    return grids;
  }

  test('a random decoder gives the tokens of ONNX Runtime, with every option of sampling', async () => {
    const parameters = randomParameters(config, 6);
    const calls = [
      guided,
      [randomText(2, 6), { temperature: 0, guidanceScale: 2, unconditional }],
      [randomText(3, 3, { length: 70 }), { seed: 2, temperature: 0.7, topK: 10, topP: 0.9 }],
    ] as const;
    expect(await tokens(parameters, { runtime }, calls)).toEqual(await tokens(parameters, { runtime: onnx }, calls));
  });

  test('a random masked decoder gives the tokens of ONNX Runtime', async () => {
    const parameters = randomParameters(tinyMaskedDecoder, 6);
    const grids = [1, 5].map((factor) => Int32Array.from({ length: 16 }, (_, i) => (factor * i) % 24));
    const initial = { grids, keep: new Uint8Array(16).fill(1, 3, 9), strength: 0.6 };
    const generate = async (on: XlaRuntime | OnnxRuntime) => {
      const decoder = new MaskedDecoder(maskedModel(tinyMaskedDecoder), parameters, { runtime: on });
      const calls = [
        guided,
        [randomText(2, 6), { temperature: 0, guidanceScale: 2, unconditional, passes: 8 }],
        [randomText(2, 3, { length: 70 }), { seed: 2, topK: 10, topP: 0.9, initial }],
      ] as const;
      const generated = [];
      for (const [text, options] of calls) generated.push(...(await decoder.generate(text, options)));
      await decoder.dispose();
      return generated.map((grid) => [...grid]);
    };
    expect(await generate(runtime)).toEqual(await generate(onnx));
  });

  const captionsOf = (batch: number, length: number): TextEncoding => ({
    tokens: Int32Array.from({ length: batch * length }, (_, i) => (7 * i + 3) % 20),
    attentionMask: Int32Array.from({ length: batch * length }, (_, i) => (i % length < 2 + (i % 3) ? 1 : 0)),
    hiddenStates: new Float32Array(),
    batch,
    length,
    width: 0,
  });
  const sizes = { vocabularySize: 40, gridSize: 4, width: 16, layers: 2, heads: 2 } as const;
  const decoderOnly = { kind: 'decoder-only', ...sizes, textVocabularySize: 20, textLength: 6 } as const;

  test.each<[string, AnyDecoderConfig, TextEncoding, TextEncoding | undefined]>([
    ['decoder-only model', decoderOnly, captionsOf(2, 6), captionsOf(1, 6)],
    [
      'decoder-only model with a separator',
      { ...decoderOnly, text: 'separator' as const },
      captionsOf(2, 5),
      captionsOf(1, 4),
    ],
    ['LlamaGen decoder of classes', { kind: 'llama-gen', ...sizes, classes: 20 }, captionsOf(2, 1), undefined],
    [
      'LlamaGen decoder of captions',
      { kind: 'llama-gen', ...sizes, textWidth: 12, textLength: 7 },
      randomText(2, 5),
      undefined,
    ],
  ])('a random %s gives the tokens of ONNX Runtime', async (_, config, text, unconditional) => {
    const parameters = randomParameters(config, 6);
    const generate = async (on: XlaRuntime | OnnxRuntime) => {
      const decoder = createDecoder(config, parameters, { runtime: on });
      const generated = [
        await decoder.generate(text, { temperature: 0 }),
        await decoder.generate(text, { seed: 3, topK: 10, guidanceScale: 3, unconditional }),
      ];
      await decoder.dispose();
      return generated.flat().map((grid) => [...grid]);
    };
    expect(await generate(runtime)).toEqual(await generate(onnx));
  });

  test.each([8, 4] as const)('a decoder in %i bits gives the tokens of its decoded weights', async (bits) => {
    const dense = randomParameters(config, 7);
    const stored = new Map<string, StoredParameter>(dense);
    const decoded = new Map(dense);
    for (const [name, { shape, data }] of dense) {
      if (shape.length !== 2 || name.startsWith('embed')) continue;
      const value = quantizeBlocks(data as Float32Array, shape, { bits });
      stored.set(name, value);
      decoded.set(name, { dtype: 'float32', shape, data: decodeParameter(value) });
    }
    expect(await tokens(stored, { runtime })).toEqual(await tokens(decoded, { runtime: onnx }));
  });

  async function imagesOf(source: string, prompt: string, onXla: boolean) {
    await using model = await fromPretrained(source, { prepare: 2, ...(onXla ? { runtime } : { threads: 1 }) });
    return await model.generate(prompt, { seed: 7, n: 2, negativePrompt: 'red' });
  }

  test.each([
    ['a tiny model', async () => writeTinyModel(await temporaryFolder()), 'a red apple'],
    ['the bundled model', () => 'emoji', 'a blue heart'],
  ])('%s gives the tokens of ONNX Runtime, and its pixels within 1 of 255', async (_, source, prompt) => {
    const path = await source();
    const expected = await imagesOf(path, prompt, false);
    const actual = await imagesOf(path, prompt, true);
    for (const [i, { tokens, image }] of expected.entries()) {
      expect([...actual[i]!.tokens]).toEqual([...tokens]);
      // Rounding to whole numbers may go either way.
      const pixels = actual[i]!.image.data;
      expect([...image.data].filter((pixel, at) => Math.abs(pixel - pixels[at]!) > 1)).toEqual([]);
    }
  });
});
