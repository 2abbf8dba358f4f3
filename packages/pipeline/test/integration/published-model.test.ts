import { cp, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { decoderParameters, decoderPresets } from '@dalle-mini/decoder';
import type { TensorData } from '@dalle-mini/graph';
import { initializeParameters } from '@dalle-mini/graph/initializers';
import { fromPretrained, type LoadProgress, ModelFolderError, writeVqgan } from '@dalle-mini/pipeline';
import { FakeHub } from '@dalle-mini/testing/fake-hub';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import {
  greedy,
  merges,
  publishedConfig,
  publishedTensors,
  randomVqgan,
  tokensOf,
  vocab,
} from '@dalle-mini/testing/published-model';
import { bartParameters } from '@dalle-mini/text-encoder';
import { fromFloat32 } from '@dalle-mini/weights';
import { HubError } from '@dalle-mini/weights/hub';
import { writeCheckpointFile, writeFlaxCheckpointFile } from '@dalle-mini/weights/node';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

let root: string;
const at = (...path: string[]) => join(root, ...path);

const stored = (parameters: ReadonlyMap<string, TensorData>) =>
  new Map([...parameters].map(([name, { data, shape }]) => [name, fromFloat32(data as Float32Array, shape)]));

beforeAll(async () => {
  root = await temporaryFolder();
  await writeVqgan(at('vqgan'), randomVqgan());

  // DALL·E Mini as the published code saved it, in smaller sizes.
  await mkdir(at('original'));
  await writeFlaxCheckpointFile(at('original', 'flax_model.msgpack'), publishedTensors());
  await writeFile(at('original', 'config.json'), JSON.stringify(publishedConfig));
  await writeFile(at('original', 'vocab.json'), JSON.stringify(vocab));
  await writeFile(at('original', 'merges.txt'), merges);
});

beforeEach(async () => {
  await rm(at('published'), { recursive: true, force: true });
  await cp(at('original'), at('published'), { recursive: true });
});

const load = (options: object = {}) => fromPretrained(at('published'), { threads: 1, vqgan: at('vqgan'), ...options });
const failure = (loading: Promise<unknown>) =>
  loading.then(
    () => expect.fail('it loaded'),
    (error: Error) => error,
  );

describe('a published DALL·E Mini', () => {
  test('generates the tokens of the published code, with and without guidance', async () => {
    const model = await load();
    expect(await greedy(model, 1)).toEqual(tokensOf('greedy_tokens'));
    expect(await greedy(model, 3)).toEqual(tokensOf('guided_greedy_tokens'));
    const [picture] = await model.generate('hdvo');
    expect(picture!.image).toMatchObject({ width: 8, height: 8 });
    expect(model.sampling).toEqual({ topK: 50, guidanceScale: 10 });
    await model.dispose();
  });

  test('is converted once, into a subfolder', async () => {
    const stages: LoadProgress[] = [];
    const onProgress = (progress: LoadProgress) => stages.push(progress);
    await (await load({ onProgress })).dispose();
    expect(stages.map((progress) => progress.stage === 'convert' && progress.done)).toEqual([0, 1, 2, 3]);
    const [converted, ...others] = await readdir(at('published', 'converted'));
    expect(others).toEqual([]);
    stages.length = 0;
    await (await load({ onProgress })).dispose();
    expect(stages).toEqual([]);
    // The conversion is an ordinary model folder.
    const model = await fromPretrained(at('published', 'converted', converted!), { threads: 1 });
    expect(await greedy(model, 3)).toEqual(tokensOf('guided_greedy_tokens'));
    await model.dispose();
  });

  test('is converted again when a file has changed', async () => {
    await (await load()).dispose();
    await writeFile(at('published', 'config.json'), `${await readFile(at('published', 'config.json'), 'utf8')}\n`);
    await (await load()).dispose();
    expect(await readdir(at('published', 'converted'))).toHaveLength(2);
  });

  test('is stored in the given dtype', async () => {
    const sizes: number[] = [];
    for (const dtype of ['fp32', 'fp16', 'q8'] as const) {
      await rm(at('published', 'converted'), { recursive: true, force: true });
      const model = await load({ dtype });
      // Of the 16 tokens, those with nearly equal logits may differ.
      const [tokens] = await greedy(model, 1);
      const same = tokens!.filter((token, i) => token === tokensOf('greedy_tokens')[0]![i]);
      expect(same.length).toBeGreaterThanOrEqual(dtype === 'q8' ? 1 : 16);
      await model.dispose();
      const [folder] = await readdir(at('published', 'converted'));
      sizes.push((await stat(at('published', 'converted', folder!, 'decoder', 'model.safetensors'))).size);
    }
    expect(sizes[1]! / sizes[0]!).toBeLessThan(0.6);
    expect(sizes[2]! / sizes[1]!).toBeLessThan(0.8);
  });

  test('normalizes captions if its config.json sets normalize_text', async () => {
    const config = JSON.parse(await readFile(at('published', 'config.json'), 'utf8'));
    await writeFile(at('published', 'config.json'), JSON.stringify({ ...config, normalize_text: true }));
    await writeFile(at('published', 'enwiki-words-frequency.txt'), 'hdvo 3\naz 2\n');
    // The vocabulary needs a space, because normalized captions begin with one. It takes the place of a letter.
    const { q, ...others } = vocab as Record<string, number>;
    await writeFile(at('published', 'vocab.json'), JSON.stringify({ ...others, Ġ: q }));
    const model = await load();
    const generate = async (prompt: string) => [
      ...(await model.generate(prompt, { temperature: 0, guidanceScale: 1 }))[0]!.tokens,
    ];
    expect(await generate('HDVO')).toEqual(await generate('hdvo'));
    await model.dispose();
  });

  test('leaves no files after a cancelled conversion', async () => {
    const abort = new AbortController();
    const error = await failure(
      load({
        signal: abort.signal,
        onProgress: ({ stage, done }: LoadProgress) => {
          if (stage === 'convert' && done === 2) abort.abort(new Error('enough'));
        },
      }),
    );
    expect(error.message).toBe('enough');
    // The call rejects at once, and partial files are removed a little later, when the conversion has stopped.
    await expect.poll(() => readdir(at('published', 'converted'))).toEqual([]);
  });

  test.each<[string, () => Promise<void>, RegExp]>([
    [
      'with truncated weights',
      async () => {
        const weights = await readFile(at('published', 'flax_model.msgpack'));
        await writeFile(at('published', 'flax_model.msgpack'), weights.subarray(0, 5000));
      },
      /flax_model\.msgpack: .*(ends|truncated)/,
    ],
    [
      'with the weights of another config.json',
      async () => {
        const config = JSON.parse(await readFile(at('published', 'config.json'), 'utf8'));
        await writeFile(at('published', 'config.json'), JSON.stringify({ ...config, decoder_ffn_dim: 40 }));
      },
      /flax_model\.msgpack: The weights must be those that the configuration describes: .* must have shape/,
    ],
    [
      'with an unknown option',
      async () => {
        const config = JSON.parse(await readFile(at('published', 'config.json'), 'utf8'));
        await writeFile(at('published', 'config.json'), JSON.stringify({ ...config, use_alibi: true }));
      },
      /config\.json: .*use_alibi must be false/,
    ],
    [
      'without a tokenizer',
      async () => {
        await rm(at('published', 'vocab.json'));
        await rm(at('published', 'merges.txt'));
      },
      /vocab\.json: .*there is no such file/,
    ],
    [
      'without weights',
      () => rm(at('published', 'flax_model.msgpack')),
      /There is no model at .*published\. The folder must have a model\.json/,
    ],
  ])('is refused %s, in one line', async (_, damage, message) => {
    await damage();
    const error = await failure(load());
    expect(error).toBeInstanceOf(ModelFolderError);
    expect(error.message).toMatch(message);
    expect(error.message).not.toContain('\n');
  });
});

describe('a model of min-dalle', () => {
  test('is recognized by its files, and its sizes by the shapes of its weights', async () => {
    const sizes = { width: 64, layers: 2, heads: 1, feedForwardWidth: 96 };
    const textEncoder = { vocabularySize: 30, maxLength: 8, ...sizes };
    const decoder = { ...decoderPresets['dalle-mini'], gridSize: 4, ...sizes, textWidth: 64 };
    await mkdir(at('min', 'dalle_bart_mini'), { recursive: true });
    const file = (name: string) => at('min', 'dalle_bart_mini', name);
    await writeFile(file('vocab.json'), JSON.stringify(vocab));
    await writeFile(file('merges.txt'), merges);
    // The format of a file is recognized by its content, so these can be safetensors files.
    const scales = (config: object) => ({ ...config, forceNormScale: true }) as never;
    const encoderWeights = stored(initializeParameters(bartParameters(scales(textEncoder)), 1));
    // Scales that are missing are 1.
    encoderWeights.delete('layers.0.glu.ln0.weight');
    await writeCheckpointFile(file('encoder.pt'), encoderWeights);
    const decoderWeights = stored(initializeParameters(decoderParameters(decoder), 2));
    // Names of DataParallel.
    await writeCheckpointFile(
      file('decoder.pt'),
      new Map([...decoderWeights].map(([name, tensor]) => [`module.${name}`, tensor])),
    );
    await writeVqgan(at('large'), randomVqgan(16384));

    const model = await fromPretrained(at('min', 'dalle_bart_mini'), { threads: 1, vqgan: at('large') });
    expect(model.sampling).toEqual({ topK: 256, guidanceScale: 16 });
    expect(model.textEncoder).toMatchObject({ width: 64, maxLength: 8 });
    const [picture] = await model.generate('hdvo', { seed: 1 });
    expect(picture!.tokens).toHaveLength(16);
    await model.dispose();
    const [converted] = await readdir(file('converted'));
    const configOf = async (part: string) =>
      JSON.parse(await readFile(join(file('converted'), converted!, part, 'config.json'), 'utf8'));
    expect(await configOf('text-encoder')).toMatchObject({ forceNormScale: true });
    expect(await configOf('decoder')).toMatchObject({ beginToken: 16383, vocabularySize: 16384 });
    expect(await configOf('decoder')).not.toHaveProperty('forceNormScale');

    await writeCheckpointFile(
      file('decoder.pt'),
      new Map([...decoderWeights, ['layers.0.glu.ln2.weight', decoderWeights.get('final_ln.bias')!]]),
    );
    const refused = await failure(fromPretrained(at('min', 'dalle_bart_mini'), { threads: 1, vqgan: at('large') }));
    expect(refused.message).toMatch(/decoder\.pt: .*layers\.0\.glu\.ln2\.weight is not a tensor of this model/);

    const error = await failure(fromPretrained(at('min', 'dalle_bart_mini'), { threads: 1 }));
    expect(error.message).toContain(at('min', 'vqgan'));
  });
});

describe('a model of the hub', () => {
  const hub = new FakeHub();
  let endpoint: string;
  beforeAll(async () => {
    await hub.start();
    endpoint = hub.url;
    for (const name of await readdir(at('original')))
      hub.add(name, await readFile(at('original', name)), name.endsWith('.msgpack'));
    hub.add('pytorch_model.bin', Buffer.alloc(10));
  });
  afterAll(() => hub.stop());

  const options = () => ({ threads: 1, vqgan: at('vqgan'), endpoint, cacheDir: at('cache') });

  test('is downloaded and converted once, and later opened offline', async () => {
    const stages = new Set<string>();
    const model = await fromPretrained('org/name', {
      ...options(),
      onProgress: ({ stage }) => {
        stages.add(stage);
      },
    });
    expect(await greedy(model, 3)).toEqual(tokensOf('guided_greedy_tokens'));
    await model.dispose();
    expect([...stages]).toEqual(['download', 'convert']);
    expect(hub.received.filter(({ path }) => path.includes('pytorch_model'))).toEqual([]);
    expect((await readdir(at('cache', 'models--org--name'))).sort()).toEqual([
      'blobs',
      'converted',
      'refs',
      'snapshots',
    ]);

    stages.clear();
    await hub.stop();
    const again = await fromPretrained('org/name', {
      ...options(),
      offline: true,
      onProgress: ({ stage }) => {
        stages.add(stage);
      },
    });
    expect(stages.has('convert')).toBe(false);
    await again.dispose();
  });

  test('gives a HubError if it cannot be downloaded', async () => {
    const error = await failure(fromPretrained('org/other', { ...options(), offline: true }));
    expect(error).toBeInstanceOf(HubError);
    expect(error.message).toMatch(
      /^The folder org\/other does not exist, and the model cannot be downloaded: The cache at/,
    );
    expect(await failure(fromPretrained('a/b/c'))).toBeInstanceOf(ModelFolderError);
  });
});
