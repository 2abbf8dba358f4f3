import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type DatasetReport, encodeCaptions, openImageFolder, writeTokenShards } from '@dalle-mini/data';
import { parametersOf } from '@dalle-mini/graph';
import { initializeParameters } from '@dalle-mini/graph/initializers';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import {
  fromPretrained,
  type GeneratedImage,
  readModelDescription,
  writeModelFolder,
  writeVqgan,
} from '@dalle-mini/pipeline';
import { FakeHub } from '@dalle-mini/testing/fake-hub';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import {
  merges,
  publishedConfig,
  publishedParts,
  publishedTensors,
  randomVqgan,
  vocab,
} from '@dalle-mini/testing/published-model';
import { writeTinyModel } from '@dalle-mini/testing/tiny-model';
import { captionBert } from '@dalle-mini/testing/tiny-training';
import { bertGraph, parseBertConfig } from '@dalle-mini/text-encoder';
import { readDalleMiniTextEncoder } from '@dalle-mini/text-encoder/node';
import {
  type DecoderSettings,
  openCaptionEncoder,
  SettingsError,
  type SettingsProgress,
  surveyImages,
  trainDecoderFromSettings,
  trainVqganFromSettings,
  type VqganSettings,
} from '@dalle-mini/train/settings';
import { openVqganTokenizer } from '@dalle-mini/vqgan/node';
import { fromFloat32, toFloat32 } from '@dalle-mini/weights';
import { readCheckpointFile, writeCheckpointFile, writeFlaxCheckpointFile } from '@dalle-mini/weights/node';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const runtime = new OnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

let root: string;
const at = (...path: string[]) => join(root, ...path);

beforeAll(async () => {
  root = await temporaryFolder();
  // DALL·E Mini as the published code saved it, in smaller sizes, and as a model folder.
  await mkdir(at('published'));
  await writeFlaxCheckpointFile(at('published', 'flax_model.msgpack'), publishedTensors());
  await writeFile(at('published', 'config.json'), JSON.stringify({ ...publishedConfig, normalize_text: true }));
  await writeFile(at('published', 'vocab.json'), JSON.stringify(vocab));
  await writeFile(at('published', 'merges.txt'), merges);
  await writeFile(at('published', 'enwiki-words-frequency.txt'), 'the 100\na 50\n');
  await writeModelFolder(at('model'), { name: 'mini', license: 'MIT', sampling: { topK: 7 }, ...publishedParts() });
  await writeVqgan(at('vqgan'), randomVqgan());
  await writeTinyModel(root);
  await mkdir(at('pictures'));
  for (const [i, background] of ['red', 'green', 'blue', 'yellow'].entries()) {
    const picture = sharp({ create: { width: 20, height: 16, channels: 3, background } });
    await picture.png().toFile(at('pictures', `${i}.png`));
    await writeFile(at('pictures', `${i}.txt`), `${'hdvoaz'.slice(i, i + 2)}\n`);
  }
});

let runs = 0;

async function train(settings: Partial<DecoderSettings>) {
  const { result } = await trainDecoderFromSettings(
    {
      folder: at(`run-${runs++}`),
      seed: 1,
      steps: 4,
      dataset: { type: 'folder', path: at('pictures') },
      training: { batchSize: 2, stepsPerRun: 2, learningRate: 1e-2, warmUpSteps: 1 },
      ...settings,
    },
    { runtime },
  );
  const model = await fromPretrained(result, { runtime });
  const [image] = await model.generate('hd', { seed: 1 });
  await model.dispose();
  return { folder: result, image: image!, description: await readModelDescription(result) };
}

const tensorsOf = async (folder: string) => (await readCheckpointFile(join(folder, 'model.safetensors'))).tensors;

test('a decoder is trained on token shards, without their images', async () => {
  const tokenizer = await openVqganTokenizer(at('vqgan'), { runtime });
  const images = await openImageFolder(at('pictures'), { imageSize: tokenizer.imageSize });
  await writeTokenShards(images, tokenizer, at('tokens'), { shardSize: 1 });
  const settings = {
    startFrom: at('model'),
    dataset: { type: 'tokens', path: at('tokens'), shuffleShards: 2 },
  } as const;
  const evaluation = { type: 'tokens', path: at('tokens') } as const;
  const { folder } = await train({ ...settings, evaluation });
  expect(await tensorsOf(join(folder, 'decoder'))).not.toEqual(await tensorsOf(at('model', 'decoder')));
  await expect(train(settings)).rejects.toThrow(/evaluation must be token shards of other images/);
  await expect(train({ startFrom: at('model'), evaluation })).rejects.toThrow(
    /evaluation must be images, as dataset is/,
  );
});

test('a decoder is trained on stored hidden states, if they are of its text encoder', async () => {
  await using tokenizer = await openVqganTokenizer(at('vqgan'), { runtime });
  const images = await openImageFolder(at('pictures'), { imageSize: tokenizer.imageSize });
  const path = at('tokens-with-states');
  await writeTokenShards(images, tokenizer, path);
  const encoder = await openCaptionEncoder(at('model'), { runtime });
  await encodeCaptions(path, encoder, { name: 'mini' });
  await encoder.dispose();
  const dataset = { type: 'tokens', path } as const;
  const settings = { startFrom: at('model'), dataset, evaluation: dataset } as const;
  const { folder } = await train(settings);
  expect(await tensorsOf(join(folder, 'decoder'))).not.toEqual(await tensorsOf(at('model', 'decoder')));
  const shorter = { ...settings, textEncoder: { maxLength: 4 } };
  await expect(train(shorter)).rejects.toThrow(
    /settings: dataset must have hidden states of a text encoder \(.* 4 tokens.*, not of mini \(.*set hiddenStates to "computed"/,
  );
  const computed = { ...dataset, hiddenStates: 'computed' } as const;
  await train({ ...shorter, dataset: computed, evaluation: computed });
});

describe('a DALL·E Mini is fine-tuned', () => {
  test.each(['frozen', 'trained'])('from its folder alone, with its text encoder %s', async (kind) => {
    const { folder, description } = await train({ startFrom: at('model'), textEncoder: { train: kind === 'trained' } });
    expect(description).toMatchObject({
      license: 'MIT',
      sampling: { topK: 7 },
      textEncoder: { type: 'dalle-mini', tokenizer: 'bart' },
    });
    const [before, after] = await Promise.all([at('model'), folder].map((one) => tensorsOf(join(one, 'text-encoder'))));
    expect([...after!.keys()].sort()).toEqual([...before!.keys()].sort());
    if (kind === 'frozen') expect(after).toEqual(before);
    else expect(after).not.toEqual(before);
    expect(await tensorsOf(join(folder, 'vqgan'))).toEqual(await tensorsOf(at('model', 'vqgan')));
    expect(await tensorsOf(join(folder, 'decoder'))).not.toEqual(await tensorsOf(at('model', 'decoder')));
  });

  test('from the published layout, and keeps the files that normalize captions', async () => {
    const { folder, description } = await train({ startFrom: at('published'), imageTokenizer: at('vqgan') });
    expect(description.sampling).toEqual({ topK: 50, guidanceScale: 10 });
    const { tokenizerFiles } = await readDalleMiniTextEncoder(join(folder, 'text-encoder'));
    expect(Object.keys(tokenizerFiles).sort()).toEqual(['enwiki-words-frequency.txt', 'merges.txt', 'vocab.json']);
  });

  test('from parts of model folders, with the tokenizer that the model around a text encoder names', async () => {
    const parts = publishedParts();
    await writeModelFolder(at('min'), {
      name: 'min',
      ...parts,
      textEncoder: { ...parts.textEncoder, tokenizer: 'min-dalle' },
    });
    const { description } = await train({
      startFrom: at('model', 'decoder'),
      imageTokenizer: at('model'),
      textEncoder: { folder: at('min', 'text-encoder') },
    });
    expect(description.textEncoder).toMatchObject({ tokenizer: 'min-dalle' });
  });

  test('from the hub, whose files are downloaded once', async () => {
    const hub = new FakeHub();
    await hub.start();
    const environment = { ...process.env };
    Object.assign(process.env, { HF_ENDPOINT: hub.url, HF_HUB_CACHE: at('cache') });
    try {
      for (const name of [
        'config.json',
        'flax_model.msgpack',
        'vocab.json',
        'merges.txt',
        'enwiki-words-frequency.txt',
      ])
        hub.add(name, await readFile(at('published', name)));
      const { description } = await train({ startFrom: 'org/name', imageTokenizer: at('vqgan') });
      expect(description.textEncoder.type).toBe('dalle-mini');
    } finally {
      process.env = environment;
      await hub.stop();
    }
  });
});

test('the text encoder of a published DALL·E Mini serves a new decoder', async () => {
  const { description } = await train({
    imageTokenizer: at('vqgan'),
    textEncoder: { folder: at('published'), maxLength: 8 },
    model: { width: 8, layers: 1, heads: 2, feedForwardWidth: 12 },
  });
  expect(description.textEncoder.type).toBe('dalle-mini');
});

test('a masked decoder is trained, written with its model and opened, and edits an image', async () => {
  const { folder, description } = await train({
    imageTokenizer: at('tiny'),
    textEncoder: { folder: at('tiny') },
    model: { kind: 'masked', width: 8, layers: 1, heads: 2, feedForwardWidth: 12 },
    sampling: { passes: 3, choiceTemperature: 2 },
  });
  expect(description).toMatchObject({ decoder: { type: 'masked' }, sampling: { passes: 3, choiceTemperature: 2 } });
  await using model = await fromPretrained(folder, { runtime });
  const [{ image, tokens }] = (await model.generate('hd', { seed: 1 })) as [GeneratedImage];
  expect(tokens.length).toBe(64);
  const mask = { ...image, data: new Uint8Array(image.data.length).fill(255, 0, image.data.length / 2) };
  const [edited] = await model.generate('oa', { seed: 2, image, mask });
  const [before] = await model.imageTokenizer.encode([image]);
  expect([...edited!.tokens.subarray(32)]).toEqual([...before!.subarray(32)]);
});

test('a model with a text encoder of Hugging Face is fine-tuned from its folder alone', async () => {
  const { folder, description } = await train({ startFrom: at('tiny') });
  expect(description).toMatchObject({ license: 'CC0-1.0', textEncoder: { type: 'bert', maxLength: 10 } });
  expect(await tensorsOf(join(folder, 'text-encoder'))).toEqual(await tensorsOf(at('tiny', 'text-encoder')));
});

const families: Record<string, object> = {
  bert: captionBert.files.config,
  roberta: { ...captionBert.files.config, model_type: 'roberta', pad_token_id: 0 },
  distilbert: {
    model_type: 'distilbert',
    vocab_size: 12,
    dim: 8,
    n_layers: 1,
    n_heads: 2,
    hidden_dim: 16,
    max_position_embeddings: 8,
  },
  bart: {
    model_type: 'bart',
    vocab_size: 12,
    d_model: 8,
    encoder_layers: 1,
    encoder_attention_heads: 2,
    encoder_ffn_dim: 16,
    max_position_embeddings: 8,
  },
};

test.each(Object.entries(families))('a %s of Hugging Face with a head is trained too', async (family, config) => {
  const parameters = parametersOf(Object.values(bertGraph(parseBertConfig(config), 1, 1).outputs));
  const prefix = family === 'bart' ? 'model.encoder' : family;
  const weights = new Map(
    [...initializeParameters(parameters, 1)].map(([name, { data, shape }]) => [
      `${prefix}.${name.replace('LayerNorm.weight', 'LayerNorm.gamma').replace('LayerNorm.bias', 'LayerNorm.beta')}`,
      fromFloat32(data as Float32Array, shape),
    ]),
  );
  await mkdir(at(family));
  await writeFile(at(family, 'config.json'), JSON.stringify(config));
  await writeFile(at(family, 'tokenizer.json'), JSON.stringify(captionBert.files.tokenizer));
  await writeCheckpointFile(at(family, 'model.safetensors'), weights);
  const { folder } = await train({
    imageTokenizer: at('vqgan'),
    textEncoder: { folder: at(family), maxLength: 8, train: true },
    model: { width: 8, layers: 1, heads: 2, feedForwardWidth: 12 },
  });
  const trained = await tensorsOf(join(folder, 'text-encoder'));
  expect([...trained.keys()].sort()).toEqual([...parameters.keys()].sort());
});

test('a VQ-GAN is fine-tuned from the folder of a model', async () => {
  expect(await surveyImages(at('pictures'))).toEqual({ count: 4, captions: ['hd', 'dv', 'vo', 'oa'] });
  const folder = at('run-vqgan');
  expect((await surveyImages(at('pictures'), { run: folder })).count).toBe(4);
  const [scan, ...others] = await readdir(join(folder, 'scans'));
  expect(others).toEqual([]);
  const { ino } = await stat(join(folder, 'scans', scan!));
  const training = { batchSize: 2, stepsPerRun: 2, learningRate: 1e-3, warmUpSteps: 1 };
  const dataset = { type: 'folder', path: at('pictures') } as const;
  const settings = { folder, seed: 1, steps: 4, dataset, startFrom: at('tiny'), training };
  const { result } = await trainVqganFromSettings(settings, { runtime });
  expect(result).toBe(join(folder, 'vqgan'));
  // The run has decoded no image again: otherwise it would have written another file.
  expect(await readdir(join(folder, 'scans'))).toEqual([scan]);
  expect((await stat(join(folder, 'scans', scan!))).ino).toBe(ino);
  const [before, after] = await Promise.all([tensorsOf(at('tiny', 'vqgan')), tensorsOf(result)]);
  expect([...after.keys()].sort()).toEqual([...before.keys()].sort());
  expect(after).not.toEqual(before);
});

test('a VQ-GAN is fine-tuned against a discriminator, which is saved with it, and with which a later run continues', async () => {
  const discriminator = { layers: 1, width: 4, start: 2 };
  const settings = {
    seed: 1,
    steps: 4,
    result: 'last',
    dataset: { type: 'folder', path: at('pictures') },
    training: { batchSize: 2, stepsPerRun: 2, learningRate: 1e-3, warmUpSteps: 1, discriminator },
  } as const;
  const batches = async (folder: string) => {
    const { tensors } = await readCheckpointFile(join(folder, 'discriminator.safetensors'));
    return toFloat32(tensors.get('loss.discriminator.main.3.num_batches_tracked')!)[0];
  };
  const first = await trainVqganFromSettings({ ...settings, folder: at('first'), startFrom: at('vqgan') }, { runtime });
  expect(await batches(first.result)).toBe(3 * 4);
  expect([...(await tensorsOf(first.result)).keys()].sort()).toEqual([...(await tensorsOf(at('vqgan'))).keys()].sort());
  const second = await trainVqganFromSettings(
    { ...settings, folder: at('second'), startFrom: first.result },
    { runtime },
  );
  expect(await batches(second.result)).toBe(2 * 3 * 4);
  // Again, with the run complete: the folder is replaced.
  await trainVqganFromSettings({ ...settings, folder: at('second'), startFrom: first.result }, { runtime });
});

describe('a VQ-GAN is fine-tuned before the decoder', () => {
  const training = { batchSize: 2, stepsPerRun: 2, learningRate: 1e-2, warmUpSteps: 1 };
  const vqgan = { steps: 4, training, result: 'last' } as const;

  test('on the same images, and the decoder learns its tokens', async () => {
    const progress: string[] = [];
    const settings = {
      folder: at('both'),
      seed: 1,
      steps: 2,
      dataset: { type: 'folder', path: at('pictures') },
      startFrom: at('tiny'),
      vqgan,
      training,
    } as const;
    const onProgress = (one: SettingsProgress) => {
      progress.push(one.stage === 'train' ? `${one.trains} ${one.done} of ${one.total}` : one.stage!);
    };
    const reports: DatasetReport[] = [];
    const options = { runtime, onProgress, onReport: (report: DatasetReport) => reports.push(report) };
    const { result } = await trainDecoderFromSettings(settings, options);
    expect([...new Set(progress)]).toEqual(['scan', 'vqgan 2 of 4', 'vqgan 4 of 4', 'encode', 'decoder 2 of 2']);
    expect(reports).toHaveLength(1);
    const heldOut = async (folder: string) =>
      (await readFile(at('both', folder, 'dataset.jsonl'), 'utf8')).split('\n').filter(Boolean).length;
    expect(await heldOut('vqgan-training')).toBe(await heldOut('.'));
    // The same VQ-GAN as that of a run of its own.
    const alone = await trainVqganFromSettings(
      { ...vqgan, folder: at('alone'), seed: 1, dataset: settings.dataset, startFrom: at('tiny') } as VqganSettings,
      { runtime },
    );
    expect(await tensorsOf(join(result, 'vqgan'))).toEqual(await tensorsOf(alone.result));
    expect(await tensorsOf(join(result, 'vqgan'))).not.toEqual(await tensorsOf(at('tiny', 'vqgan')));

    progress.length = 0;
    await trainDecoderFromSettings({ ...settings, steps: 4 }, options);
    expect(progress.filter((one) => one.includes(' of '))).toEqual(['decoder 4 of 4']);
    await expect(trainDecoderFromSettings({ ...settings, vqgan: { ...vqgan, steps: 6 } }, options)).rejects.toThrow(
      'settings: vqgan.steps must be 4, as when the images of the run were encoded, not 6.',
    );
    await expect(trainDecoderFromSettings({ ...settings, vqgan: undefined }, options)).rejects.toThrow(
      'settings: vqgan.steps must be 4, as when the images of the run were encoded, not 0.',
    );
  });

  test('not with 0 steps, and its settings are named in errors', async () => {
    const { folder } = await train({ startFrom: at('tiny'), vqgan: { ...vqgan, steps: 0 } });
    expect(await tensorsOf(join(folder, 'vqgan'))).toEqual(await tensorsOf(at('tiny', 'vqgan')));
    await expect(
      train({ startFrom: at('tiny'), vqgan: { ...vqgan, training: { ...training, warmUpSteps: 9 } } }),
    ).rejects.toThrow('settings: vqgan: training.warmUpSteps must be less than steps, 4, not 9.');
  });
});

test('a model is fine-tuned on images that it generates first, too', async () => {
  const folder = at('prior');
  const settings = { folder, startFrom: at('tiny'), priorPrompts: ['a red apple', 'an apple'] };
  await train(settings);
  const keys = async (part: string) => {
    const lines = (await readFile(join(folder, part), 'utf8')).trim().split('\n');
    return lines.map((line) => JSON.parse(line).key ?? JSON.parse(line).file_name).filter(Boolean);
  };
  expect(await readdir(join(folder, 'prior'))).toEqual(['0.png', '1.png', 'metadata.jsonl']);
  expect((await keys('dataset.jsonl')).filter((key) => key.startsWith('prior/'))).toEqual([
    'prior/0.png',
    'prior/1.png',
  ]);
  // No image is generated again.
  const { ino } = await stat(join(folder, 'prior'));
  await train({ ...settings, steps: 6 });
  expect((await stat(join(folder, 'prior'))).ino).toBe(ino);
  await expect(train({ ...settings, steps: 8, priorPrompts: ['a pear'] })).rejects.toThrow(
    'settings: priorPrompts must stay as they were when their images were generated into ',
  );
});

test('what is missing is named', async () => {
  const lacking = train({ startFrom: at('model', 'decoder') });
  await expect(lacking).rejects.toThrow(SettingsError);
  await expect(lacking).rejects.toThrow(
    'settings: imageTokenizer is missing; it must be the folder or the hub name of a VQ-GAN',
  );
  await expect(train({ startFrom: at('nowhere') })).rejects.toThrow(`There is no model at ${at('nowhere')}.`);
});
