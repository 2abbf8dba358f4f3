import { ConfigError, OptionError } from '@dalle-mini/core';
import { GraphError, type Initializer, input, mean, ParameterScope, sizeOf, square } from '@dalle-mini/graph';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { grad } from '@dalle-mini/graph/training';
import {
  fixture,
  hiddenStatesOf,
  integers,
  listed,
  parametersOf,
  relativeError,
  released,
  whole,
} from '@dalle-mini/testing/published';
import {
  type BartConfig,
  bart,
  bartParameters,
  bartPresets,
  checkBartConfig,
  exportTextEncoder,
  importTextEncoder,
  importTextEncoderConfig,
} from '@dalle-mini/text-encoder';
import { type Checkpoint, fromFloat32, fromInt32 } from '@dalle-mini/weights';
import { afterAll, describe, expect, test } from 'vitest';

const runtime = new OnnxRuntime();
afterAll(() => runtime.dispose());

const { description, tensors } = fixture<{
  base: object;
  variants: Record<string, object>;
  initialGains: Record<string, Record<string, number>>;
}>(new URL('fixtures/bart-options', import.meta.url));
const { base, variants, initialGains } = description;

const tiny: BartConfig = { vocabularySize: 9, maxLength: 6, width: 8, layers: 2, heads: 2, feedForwardWidth: 12 };

describe("DALL·E Mini's published text encoder", () => {
  test('returns the published hidden states', async () => {
    const config = importTextEncoderConfig(whole.description.config);
    const hiddenStates = await hiddenStatesOf(runtime, config, parametersOf(whole.tensors, config), {
      ids: integers(whole.tensors.get('text_tokens')!),
      attentionMask: integers(whole.tensors.get('text_mask')!),
    });
    expect(relativeError(hiddenStates, whole.tensors.get('encoder_hidden_states')!)).toBeLessThan(1e-4);
  });

  test.each(Object.entries(variants))('gives the same hidden states, variant %s', async (name, variant) => {
    const config = importTextEncoderConfig({ ...base, ...variant });
    // Importing checks that the parameters are exactly those of the published code.
    const parameters = parametersOf(tensors, config, `${name}/`);
    const hiddenStates = await hiddenStatesOf(runtime, config, parameters, {
      ids: integers(tensors.get('text_tokens')!),
      attentionMask: integers(tensors.get('text_mask')!),
    });
    expect(relativeError(hiddenStates, tensors.get(`${name}/hidden_states`)!)).toBeLessThan(1e-4);
  });

  test.each(Object.entries(initialGains))(
    'has initial weights with the standard deviations of the published code, variant %s',
    (name, gains) => {
      const parameters = bartParameters(importTextEncoderConfig({ ...base, ...variants[name] }));
      const wide = (parameter: string) => {
        const { attributes } = parameters.get(parameter)!.operation;
        return (attributes as { initializer: Initializer }).initializer.scale;
      };
      const gainOf = (module: string) => {
        const entries = Object.entries(gains).filter(([path]) => path.endsWith(`/${module}/kernel`));
        expect(entries.length).toBeGreaterThan(0);
        return entries[0]![1];
      };
      for (const projection of ['q_proj', 'k_proj', 'v_proj', 'out_proj'])
        expect(wide(`layers.0.self_attn.${projection}.weight`)).toBeCloseTo(0.02 * gainOf(projection), 6);
      // All linear layers of a feed-forward half have one gain.
      for (const parameter of ['fc1', 'fc2'])
        expect(wide(`layers.0.glu.${parameter}.weight`)).toBeCloseTo(0.02 * gainOf('Dense_1'), 6);
    },
  );
});

describe('bart', () => {
  test('refuses captions with more tokens than positions', () => {
    const ids = input('ids', [1, 7], 'int32');
    expect(() => bart(new ParameterScope(), tiny, ids, ids)).toThrow(GraphError);
  });

  test.each<[string, Partial<BartConfig>]>([
    ['softmax', {}],
    ["Sinkhorn's normalization", { sinkhornIterations: 3 }],
    ['relative positions', { relativePositions: true }],
  ])('gives numbers, and gradients, where a caption is padding alone: %s', async (_, option) => {
    const scope = new ParameterScope();
    const ids = input('ids', [2, 4], 'int32');
    const attentionMask = input('attentionMask', [2, 4], 'int32');
    const loss = mean(square(bart(scope, { ...tiny, ...option }, ids, attentionMask)));
    const names = [...scope.parameters.keys()];
    const gradients = grad(loss, [...scope.parameters.values()]);
    const graph = {
      inputs: { ids, attentionMask },
      outputs: Object.fromEntries(gradients.map((g, i) => [names[i]!, g])),
    };
    const parameters = new Map(
      [...scope.parameters].map(([name, { shape }]) => [
        name,
        { dtype: 'float32', shape, data: Float32Array.from({ length: sizeOf(shape) }, (_, i) => Math.sin(i)) } as const,
      ]),
    );
    const executable = await runtime.compile(graph, { parameters });
    const int32 = (...data: number[]) => ({ dtype: 'int32', shape: [2, 4], data: Int32Array.from(data) }) as const;
    const result = await executable.run({
      ids: int32(0, 3, 2, 1, 1, 1, 1, 1),
      attentionMask: int32(1, 1, 1, 0, 0, 0, 0, 0),
    });
    await executable.dispose();
    for (const [name, { data }] of Object.entries(result))
      expect((data as Float32Array).every(Number.isFinite), name).toBe(true);
  });
});

describe('the presets', () => {
  const count = (config: BartConfig) =>
    [...bartParameters(config).values()].reduce((total, { shape }) => total + sizeOf(shape), 0);

  /**
   * Counts the parameters of the published Flax code: in a layer four kernels and two norms of attention, one of them
   * with a scale too, and three kernels and two norms in the GLU; around them the embeddings, their norm, and the last
   * norm.
   */
  const published = ({ width, glu, layers, rows }: Record<'width' | 'glu' | 'layers' | 'rows', number>) =>
    layers * (4 * width * width + 3 * width + 3 * width * glu + width + glu) + (rows + 64) * width + 3 * width;

  test("have the parameters of DALL·E Mini's and Mega's text encoders", () => {
    expect(count(bartPresets['dalle-mini'])).toBe(published({ width: 1024, glu: 2730, layers: 12, rows: 50264 }));
    expect(count(bartPresets['dalle-mega'])).toBe(published({ width: 2048, glu: 4096, layers: 24, rows: 50272 }));
  });

  test('are valid', () => {
    for (const preset of Object.values(bartPresets)) expect(() => checkBartConfig(preset)).not.toThrow();
  });
});

describe('checkBartConfig', () => {
  test.each<[Record<string, unknown>, string]>([
    [{ vocabularySize: 0 }, 'vocabularySize must be a whole number from 1 to 16777216, not 0.'],
    [{ layers: 1e6 }, 'layers must be a whole number from 1 to 1024, not 1000000.'],
    [{ maxLength: undefined }, 'maxLength is missing; it must be a whole number from 1 to 131072.'],
    [{ heads: 3 }, 'width must be a multiple of the 3 heads, not 8'],
    [
      { normPositions: 'deepnet' },
      'normPositions must be "normformer", "preln", "postln", "cogview", "swinv2" or "subln", not "deepnet".',
    ],
    [
      { normPositions: 'postln', finalNorm: false },
      'finalNorm must be true where normPositions is "postln", not false.',
    ],
    [{ tau: 0 }, 'tau must be a number above 0, not 0'],
    [{ sinkhornIterations: 0 }, 'sinkhornIterations must be a whole number from 1 to 1024, not 0.'],
    [{ gated: 1 }, 'gated must be true or false, not 1'],
    [{ sublnInit: true }, 'decoderLayers must be given if deepnetScaling or sublnInit is true, not undefined.'],
  ])('refuses %j', (change, message) => {
    expect(() => checkBartConfig({ ...tiny, ...change })).toThrow(ConfigError);
    expect(() => checkBartConfig({ ...tiny, ...change })).toThrow(`text encoder config: ${message}`);
  });
});

describe('importTextEncoderConfig', () => {
  test('reads the configuration of DALL·E Mega', () => {
    // The fields of tools/train/config/mega/config.json that differ from the defaults.
    const config = importTextEncoderConfig({
      d_model: 2048,
      decoder_layers: 24,
      encoder_attention_heads: 32,
      encoder_ffn_dim: 4096,
      encoder_layers: 24,
      encoder_vocab_size: 50272,
      init_std: 0.01,
      model_type: 'dallebart',
    });
    expect(config).toMatchObject({ ...bartPresets['dalle-mega'], decoderLayers: 24, sinkhornIterations: 1 });
  });

  test('refuses Sinkhorn without iterations', () => {
    expect(() => importTextEncoderConfig({ sinkhorn_iters: 0 })).toThrow(
      'config.json: sinkhorn_iters must be a whole number from 1 to 1024, not 0.',
    );
  });
});

describe('importTextEncoder', () => {
  const config = importTextEncoderConfig(whole.description.config);

  test("leaves the decoder's tensors", () => {
    const checkpoint = released(whole.tensors);
    const others = [...checkpoint.keys()].filter((name) => !name.startsWith('model/encoder/'));
    importTextEncoder(checkpoint, config);
    expect([...checkpoint.keys()]).toEqual(others);
  });

  test('accepts a tree with the root params too', () => {
    const checkpoint = new Map([...released(whole.tensors)].map(([name, tensor]) => [`params/${name}`, tensor]));
    expect(importTextEncoder(checkpoint, config)).toEqual(importTextEncoder(released(whole.tensors), config));
  });

  test('names a missing tensor, also if it was imported before', () => {
    const checkpoint = released(whole.tensors);
    importTextEncoder(checkpoint, config);
    expect(() => importTextEncoder(checkpoint, config)).toThrow(/embed_tokens\.weight.* are missing/);
  });
});

describe('exportTextEncoder', () => {
  const variant = (name: string, options: object = variants[name]!) => {
    const config = importTextEncoderConfig({ ...base, ...options });
    const original = () =>
      new Map([...released(tensors, `${name}/`)].filter(([path]) => path.startsWith('model/encoder/')));
    return { config, original, weights: importTextEncoder(original(), config) };
  };

  test.each(Object.entries(variants))('is the inverse of importTextEncoder, variant %s', (name, options) => {
    const { config, original, weights } = variant(name);
    const { use_scan: scan } = options as { use_scan?: boolean };
    expect(listed(exportTextEncoder(weights, config, { scan }))).toEqual(listed(original()));
  });

  test('does not change its input, and leaves out unknown tensors', () => {
    const { config, original, weights } = variant('released');
    const more: Checkpoint = new Map([...weights, ['lm_head.weight', fromFloat32(Float32Array.of(1), [1])]]);
    for (let i = 0; i < 2; i++) expect(listed(exportTextEncoder(more, config))).toEqual(listed(original()));
  });

  test('stacks layers or not, depending on scan', () => {
    const { config, weights } = variant('released-per-layer');
    expect(importTextEncoder(exportTextEncoder(weights, config, { scan: true }), config)).toEqual(weights);
    expect([...exportTextEncoder(weights, config, { scan: true }).keys()]).toEqual([
      ...exportTextEncoder(variant('released').weights, config).keys(),
    ]);
  });

  test('refuses to stack different layers', () => {
    const { config, weights } = variant('swinv2');
    expect(() => exportTextEncoder(weights, config, { scan: true })).toThrow(OptionError);
    expect(() => exportTextEncoder(weights, config, { scan: true })).toThrow(
      'scan must be false where normPositions is',
    );
  });

  test('refuses a scale of the last norm other than 1 if layers are not stacked', () => {
    const { config, weights } = variant('postln');
    const last = 'layers.1.final_layer_norm.weight';
    expect(() => exportTextEncoder(weights, config, { scan: false })).toThrow(
      `${last} of the encoder must be 1 where layers are not stacked`,
    );
    weights.set(last, fromFloat32(new Float32Array(16).fill(1), [16]));
    expect(exportTextEncoder(weights, config, { scan: false }).size).toBe(variant('postln-per-layer').original().size);
  });

  test.each<[string, (weights: Checkpoint) => void, string]>([
    ['missing', (weights) => weights.delete('layernorm_embedding.bias'), 'layernorm_embedding.bias is missing'],
    [
      'of another shape',
      (weights) => weights.set('layernorm_embedding.bias', fromFloat32(new Float32Array(2), [2])),
      'layernorm_embedding.bias must have shape [16], not [2]',
    ],
    [
      'of another type',
      (weights) => weights.set('layernorm_embedding.bias', fromInt32(new Int32Array(16), [16])),
      'layernorm_embedding.bias of the encoder must be floats, not I32.',
    ],
    [
      'of another type than those that it is stacked with',
      (weights) => weights.set('layers.1.glu.ln0.bias', fromFloat32(new Float32Array(16), [16])),
      'The layers of model/encoder/layers/FlaxBartEncoderLayers/GLU_0/LayerNorm_0/bias must have one type, not F16 and F32.',
    ],
  ])('names a tensor that is %s', (_, change, message) => {
    const { config, weights } = variant('released');
    change(weights);
    expect(() => exportTextEncoder(weights, config)).toThrow(message);
  });
});
