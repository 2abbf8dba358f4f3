import { cp, mkdir, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { readModelFolder, readVqgan } from '@dalle-mini/pipeline';
import { contentOf, temporaryFolder } from '@dalle-mini/testing/folders';
import { writeTinyModel } from '@dalle-mini/testing/tiny-model';
import { tinyVqgan } from '@dalle-mini/testing/tiny-vqgan';
import sharp from 'sharp';
import { beforeAll, describe, expect, test } from 'vitest';
import { dalleMini } from './dalle-mini.js';

let root: string;
let tiny: string;

beforeAll(async () => {
  root = await temporaryFolder();
  tiny = await writeTinyModel(root);
  const pictures = join(root, 'pictures');
  await mkdir(pictures);
  for (const [i, color] of ['red', 'green', 'blue', 'yellow', 'black', 'orange'].entries()) {
    const picture = sharp({ create: { width: 20, height: 16, channels: 3, background: color } });
    await picture.png().toFile(join(pictures, `${i}.png`));
    await writeFile(join(pictures, `${i}.txt`), `a ${color} apple\n`);
  }
});

const vqganSettings = {
  seed: 1,
  steps: 12,
  checkpointEvery: 4,
  evaluateEvery: 4,
  dataset: { type: 'folder', path: 'pictures', crop: 'random' },
  model: tinyVqgan,
  training: { batchSize: 2, stepsPerRun: 2, learningRate: 0.001, warmUpSteps: 2, averageDecay: 0.9 },
};

const decoderSettings = {
  name: 'apples',
  license: 'CC0-1.0',
  steps: 4,
  checkpointEvery: 2,
  evaluateEvery: 2,
  dataset: { type: 'folder', path: 'pictures' },
  imageTokenizer: 'tiny/vqgan',
  textEncoder: { folder: 'tiny/text-encoder', maxLength: 10 },
  model: { width: 16, layers: 1, heads: 2, feedForwardWidth: 24, relativePositions: true },
  training: { batchSize: 2, stepsPerRun: 2, learningRate: 0.001, warmUpSteps: 1 },
  samplePrompts: ['a red apple', 'an apple'],
  sampling: { guidanceScale: 2 },
};

let written = 0;

/** Writes settings next to the images, because their paths are relative to the file. */
async function write(settings: object): Promise<string> {
  const path = join(root, `settings-${written++}.json`);
  await writeFile(path, JSON.stringify(settings));
  return path;
}

async function train(
  kind: 'vqgan' | 'decoder',
  settings: object,
  folder: string,
  started?: Parameters<typeof dalleMini>[2],
) {
  return dalleMini(root, ['train', kind, '--config', await write(settings), '--folder', folder], started);
}

describe('dalle-mini train vqgan', () => {
  test('trains on a folder of images, and prints the path of the result', async () => {
    const { code, stdout, stderr } = await train('vqgan', vqganSettings, 'plain');
    expect(stderr).toMatch(/step 12 of 12, loss [\d.]+, [\d.]+ steps\/s\n$/);
    expect(stdout).toBe(`${join(root, 'plain', 'vqgan')}\n`);
    expect(code).toBe(0);
    const { config, parameters } = await readVqgan(join(root, 'plain', 'vqgan'));
    expect(config).toEqual(vqganSettings.model);
    expect([...parameters.values()].every(({ data }) => data.every(Number.isFinite))).toBe(true);
    const files = await readdir(join(root, 'plain'));
    expect(files).toContain('reconstructions-00000012.png');
    expect(files).toContain('metrics.jsonl');
  });

  // Three runs, of which the first waits for its first steps, are slow on a busy machine.
  test('is interrupted by Ctrl-C with a checkpoint, and resumes to the same result', {
    timeout: 180_000,
  }, async () => {
    const folder = join(root, 'stopped');
    const settings = { ...vqganSettings, steps: 60, checkpointEvery: 60, evaluateEvery: 60 };
    const first = await train('vqgan', settings, folder, async (child) => {
      while (
        await stat(join(folder, 'metrics.jsonl')).then(
          () => false,
          () => true,
        )
      )
        await setTimeout(10);
      child.kill('SIGINT');
    });
    expect(first.stderr).toContain('Stopping after the current steps, with a checkpoint');
    expect(first.stderr).toMatch(/dalle-mini: interrupted\n$/);
    expect(first.stdout).toBe('');
    expect(first.code).toBe(130);
    const files = await readdir(folder);
    expect(files.filter((name) => /^checkpoint-\d+\.safetensors$/.test(name))).toHaveLength(1);
    expect(files).not.toContain('vqgan');

    const [second, whole] = [await train('vqgan', settings, folder), await train('vqgan', settings, 'whole')];
    expect([second.code, whole.code]).toEqual([0, 0]);
    const result = (name: string) => readFile(join(root, name, 'vqgan', 'model.safetensors'));
    expect((await result('stopped')).equals(await result('whole'))).toBe(true);
  });

  test('fine-tunes an existing VQ-GAN', async () => {
    const { model, ...settings } = vqganSettings;
    const { code } = await train('vqgan', { ...settings, steps: 4, startFrom: 'tiny/vqgan' }, 'tuned');
    expect(code).toBe(0);
    const [before, after] = await Promise.all([
      readVqgan(join(tiny, 'vqgan')),
      readVqgan(join(root, 'tuned', 'vqgan')),
    ]);
    expect(after.config).toEqual(before.config);
    // Four steps change little. New random values, of which some are ten times smaller, would differ more.
    const largest = ([...parameters]: Iterable<[string, { data: ArrayLike<number> }]>) =>
      parameters.map(([, { data }]) => Math.max(...Array.from(data, Math.abs)));
    const difference = largest(before.parameters).map((value, i) => Math.abs(value - largest(after.parameters)[i]!));
    expect(Math.max(...difference)).toBeLessThan(0.02);
  });
});

describe('dalle-mini train decoder', () => {
  test('encodes the images, trains, and writes a model that generates images', async () => {
    const { code, stdout, stderr } = await train('decoder', decoderSettings, 'apples');
    expect(stderr).toMatch(/step 4 of 4, loss /);
    const model = join(root, 'apples', 'model');
    expect(stdout).toBe(`${model}\n`);
    expect(code).toBe(0);
    expect(await readdir(join(root, 'apples'))).toContain('samples-00000004.png');
    const { name, license, sampling, textEncoder, decoder } = await readModelFolder(model);
    expect({ name, license, sampling }).toEqual({ name: 'apples', license: 'CC0-1.0', sampling: { guidanceScale: 2 } });
    expect(decoder.config).toEqual({
      ...decoderSettings.model,
      textLength: 10,
      gridSize: 8,
      vocabularySize: 32,
      textWidth: 12,
    });
    expect(textEncoder).toEqual((await readModelFolder(tiny)).textEncoder);

    const generated = await dalleMini(root, ['generate', 'a red apple', '--model', model, '--out', 'apple.png']);
    expect(generated.stdout).toBe('apple.png\n');
    // The same command again has no work left.
    const again = await train('decoder', decoderSettings, 'apples');
    expect(again.stdout).toBe(`${model}\n`);
    expect(again.stderr).toBe('');
  });

  test('trains the text encoder too on request', async () => {
    const settings = { ...decoderSettings, textEncoder: { ...decoderSettings.textEncoder, train: true } };
    expect(await train('decoder', settings, 'both')).toMatchObject({ code: 0 });
    const [before, after] = await Promise.all([readModelFolder(tiny), readModelFolder(join(root, 'both', 'model'))]);
    expect([...after.textEncoder.files.weights.keys()].toSorted()).toEqual(
      [...before.textEncoder.files.weights.keys()].toSorted(),
    );
    expect(after.textEncoder.files.weights).not.toEqual(before.textEncoder.files.weights);
    const generated = await dalleMini(root, ['generate', 'a red apple', '--model', 'both/model', '--out', 'both.png']);
    expect(generated.code).toBe(0);
  });
});

describe('dalle-mini finetune', () => {
  test('fine-tunes a model from one command, resumes it, and says how to generate', { timeout: 180_000 }, async () => {
    const command = ['finetune', 'pictures', '--model', 'tiny', '--set', 'steps=20', '--set', 'training.stepsPerRun=2'];
    const intervals = ['checkpointEvery=10', 'evaluateEvery=10', 'training.warmUpSteps=2', 'vqgan.steps=0'].flatMap(
      (setting) => ['--set', setting],
    );
    const first = await dalleMini(root, [...command, ...intervals]);
    expect(first).toMatchObject({ code: 0, stdout: `${join(root, 'runs', 'pictures', 'model')}\n` });
    expect(first.stderr).toContain('6 pictures. The settings are in runs/pictures/settings.json.');
    const [, generate] = /Generate with: dalle-mini (.*)\n$/.exec(first.stderr) ?? [];
    expect(generate).toMatch(/^generate "a \w+ apple" --model runs\/pictures\/model$/);
    const [caption] = /a \w+ apple/.exec(generate!) ?? [];
    const generated = await dalleMini(root, ['generate', caption!, '--model', 'runs/pictures/model', '--out', 'x.png']);
    expect(generated.code).toBe(0);
    const longer = await dalleMini(root, ['finetune', 'pictures', '--model', 'tiny', '--set', 'steps=24']);
    expect(longer.stderr).toMatch(/step 24 of 24, /);
    const settings = JSON.parse(await readFile(join(root, 'runs/pictures/settings.json'), 'utf8'));
    expect(settings).toMatchObject({ steps: 24, dataset: { path: '../../pictures' }, startFrom: '../../tiny' });

    const other = await dalleMini(root, ['finetune', 'pictures', '--folder', 'runs/pictures']);
    expect(other).toMatchObject({ code: 2, stderr: expect.stringContaining('Choose another folder with --folder.') });
  });
});

describe('dalle-mini train with a folder', () => {
  const short = ['steps=4', 'vqgan.steps=2', 'training.warmUpSteps=1', 'vqgan.training.warmUpSteps=1'];
  const shorter = ['checkpointEvery=2', 'evaluateEvery=2', 'vqgan.checkpointEvery=2', 'vqgan.evaluateEvery=2'];
  const runs = ['training.stepsPerRun=2', 'vqgan.training.stepsPerRun=2', 'vqgan.training.restartEvery=0'];
  const sets = [...short, ...shorter, ...runs].flatMap((setting) => ['--set', setting]);

  test('fine-tunes like finetune, with captions from file names on request', { timeout: 180_000 }, async () => {
    const named = join(root, 'named');
    await mkdir(named);
    for (const [from, name] of ['red_apple', 'green-apple', 'BlueApple', 'IMG_0042'].entries())
      await cp(join(root, 'pictures', `${from}.png`), join(named, `${name}.png`));
    const refused = await dalleMini(root, ['train', 'named', '--model', 'tiny']);
    expect(refused).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/4 × no caption, .* set captions to file-names/),
    });

    const command = ['train', 'named', '--model', 'tiny', '--captions', 'file-names', ...sets];
    const { code, stdout, stderr } = await dalleMini(root, command);
    expect({ code, stdout }).toEqual({ code: 0, stdout: `${join(root, 'runs', 'named', 'model')}\n` });
    expect(stderr).toContain('3 pictures. The settings are in runs/named/settings.json.\n1 of 4 samples in ');
    expect(stderr).toContain('\nCaptions from file names: 3, such as "Blue Apple" from BlueApple.png.\n');
    expect(stderr).toMatch(/\nVQ-GAN: step 2 of 2, .*\n(.*\n)*decoder: step 4 of 4, /);
    const settings = JSON.parse(await readFile(join(root, 'runs/named/settings.json'), 'utf8'));
    expect(settings).toMatchObject({ dataset: { captions: 'file-names', crop: 'auto' }, vqgan: { steps: 2 } });
  });

  test.each([
    [['--mesh', 'data=2'], 1, 'mesh must be left out for the device cpu'],
    [['--mesh', 'rows=2'], 2, 'It must be such as data=4 or data=2,model=2.'],
    [['--device', 'gpu'], 2, 'Allowed choices are cpu, xla-cpu, cuda, tpu.'],
  ])('refuses devices that do not fit: %j', async (options, code, message) => {
    const config = await write(vqganSettings);
    const refused = await dalleMini(root, ['train', 'vqgan', '--config', config, ...options]);
    expect(refused).toMatchObject({ code, stderr: expect.stringContaining(message) });
  });

  test('refuses a file, and says how to train with it', async () => {
    const config = await write(vqganSettings);
    const { code, stderr } = await dalleMini(root, ['train', config]);
    expect({ code, stderr }).toEqual({
      code: 2,
      stderr: `dalle-mini: <pictures> must be a folder, not the file ${config}. Train with a settings file by dalle-mini train decoder --config, or dalle-mini train vqgan --config.\n`,
    });
  });
});

describe('dalle-mini init', () => {
  test('writes settings with their schema, which train reads with overrides', async () => {
    const written = await dalleMini(root, ['init', 'pictures', '--model', 'tiny', '--out', 'made/settings.json']);
    expect(written).toEqual({
      code: 0,
      stdout: 'made/settings.json\n',
      stderr: 'Train with: dalle-mini train decoder --config made/settings.json\n',
    });
    const settings = JSON.parse(await readFile(join(root, 'made/settings.json'), 'utf8'));
    const schema = JSON.parse(await readFile(join(root, 'made', settings.$schema), 'utf8'));
    expect(schema.title).toBe('Settings of dalle-mini train decoder');
    expect(settings).toMatchObject({ startFrom: '../tiny', dataset: { path: '../pictures' }, steps: 100 });
    const few = ['steps=10', 'vqgan.steps=0', 'training.warmUpSteps=1', 'evaluateEvery=10'];
    const overrides = [...few, 'samplePrompts=["a red apple"]'];
    const trained = await dalleMini(root, [
      ...['train', 'decoder', '--config', 'made/settings.json'],
      ...overrides.flatMap((override) => ['--set', override]),
    ]);
    expect(trained.stderr).toMatch(/step 10 of 10, /);
    expect(trained.stdout).toBe(`${join(root, 'made/runs/emoji/model')}\n`);

    const again = await dalleMini(root, ['init', '--out', 'made/settings.json']);
    expect(again).toMatchObject({ code: 2, stderr: expect.stringContaining('made/settings.json exists.') });
  });

  test.each(['steps', '=5'])('refuses the override %s', async (override) => {
    const config = await write(vqganSettings);
    const { code, stderr } = await dalleMini(root, ['train', 'vqgan', '--config', config, '--set', override]);
    expect(stderr).toBe(
      `dalle-mini: --set must be a name and a value, such as training.learningRate=1e-4, not ${override}.\n`,
    );
    expect(code).toBe(2);
  });
});

describe('pictures that cannot be used', () => {
  /** A copy of the folder of pictures. */
  async function copyOfPictures(): Promise<string> {
    const folder = join(await temporaryFolder(), 'pictures');
    await cp(join(root, 'pictures'), folder, { recursive: true });
    return folder;
  }

  test('are left out, named and listed', async () => {
    const pictures = await copyOfPictures();
    await truncate(join(pictures, '1.png'), 60);
    await writeFile(join(pictures, '2.txt'), '');
    const settings = { ...vqganSettings, dataset: { type: 'folder', path: pictures } };
    const { code, stderr } = await train('vqgan', settings, 'left-out');
    expect(code).toBe(0);
    expect(stderr).toMatch(/^2 of 6 samples in \S+ cannot be used:\n- .*1\.png.*\n- .*2\.txt.*\n.*left-out\.jsonl\.\n/);
    const lines = (await readFile(join(root, 'left-out', 'left-out.jsonl'), 'utf8')).trim().split('\n');
    expect(lines).toHaveLength(2);
    const failing = await train('vqgan', { ...settings, dataset: { ...settings.dataset, onError: 'fail' } }, 'failing');
    expect(failing).toMatchObject({ code: 1, stderr: expect.stringContaining('Fix or remove them') });
  });

  test.each(['vqgan', 'decoder'] as const)('may be removed in the middle of training a %s', async (kind) => {
    const pictures = await copyOfPictures();
    const dataset = { type: 'folder', path: pictures };
    const settings = kind === 'vqgan' ? { ...vqganSettings, dataset } : { ...decoderSettings, dataset };
    const { steps } = settings;
    const half = { ...settings, steps: steps / 2 };
    const longer = async (folder: string, ...options: string[]) =>
      dalleMini(root, ['train', kind, '--config', await write(settings), '--folder', folder, ...options]);
    const folder = `changed-${kind}`;
    expect((await train(kind, half, folder)).code).toBe(0);
    const record = await readFile(join(root, folder, 'dataset.jsonl'), 'utf8');
    const { key } = JSON.parse(record.split('\n')[1]!);
    await rm(join(pictures, key));
    await rm(join(pictures, key.replace('png', 'txt')));
    await cp(join(root, folder), join(root, `${folder}-again`), { recursive: true });

    const refused = await longer(folder);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain(`1 sample was removed, such as "${key}"`);
    expect(refused.stderr).toContain('--accept-data-changes');
    const [accepted, again] = [
      await longer(folder, '--accept-data-changes'),
      await longer(`${folder}-again`, '--accept-data-changes'),
    ];
    expect([accepted.code, again.code]).toEqual([0, 0]);
    const result = (name: string) =>
      kind === 'vqgan' ? join(root, name, 'vqgan') : join(root, name, 'model', 'decoder');
    const [first, second] = await Promise.all([folder, `${folder}-again`].map((name) => contentOf(result(name))));
    expect(first).toEqual(second);
    // It does not ask again.
    expect((await longer(folder)).code).toBe(0);
  });
});

describe('wrong settings', () => {
  test.each([
    ['vqgan', { steps: 0 }, 'steps must be a whole number of at least 1, not 0.'],
    ['vqgan', { step: 5 }, 'step is not known. Did you mean steps?'],
    ['vqgan', { model: { ...vqganSettings.model, ch: '8' } }, 'model.ch must be a whole number from 1 to '],
    [
      'vqgan',
      { training: { ...vqganSettings.training, learningRate: -1 } },
      'training.learningRate must be a number above 0, not -1.',
    ],
    ['vqgan', { training: { ...vqganSettings.training, optimizer: 'adamw' } }, 'training.optimizer is not known. '],
    [
      'vqgan',
      { dataset: { type: 'video', path: 'pictures' } },
      'dataset.type must be "folder", "webdataset" or "emoji", not "video".',
    ],
    ['vqgan', { startFrom: 'tiny/vqgan' }, 'model must be left out if startFrom is set, not an object.'],
    ['vqgan', { model: undefined }, 'model must be the sizes of a new model, unless startFrom is set, '],
    ['vqgan', { steps: 5 }, 'steps must be a multiple of training.stepsPerRun, 2, not 5.'],
    ['vqgan', { model: { ...vqganSettings.model, normGroups: 3 } }, 'model.normGroups must be a divisor of 8, '],
    ['decoder', { sampling: { topP: 2 } }, 'sampling.topP must be a number above 0 and of at most 1, not 2.'],
    [
      'decoder',
      { model: { ...decoderSettings.model, heads: 3 } },
      'model.width must be a multiple of the 3 heads, not 16.',
    ],
  ] as const)('are refused with the name of the field: %s %j', async (kind, change, message) => {
    const settings = { ...(kind === 'vqgan' ? vqganSettings : decoderSettings), ...change };
    const { code, stdout, stderr } = await train(kind, settings, 'wrong');
    expect(stderr).toMatch(/^dalle-mini: .*settings-\d+\.json: [^\n]+\n$/);
    expect(stderr).toContain(message);
    expect(stdout).toBe('');
    expect(code).toBe(1);
  });

  test('are refused with the name of the file if it is missing or not JSON', async () => {
    const missing = await dalleMini(root, ['train', 'vqgan', '--config', 'nowhere.json']);
    expect(missing).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^dalle-mini: Cannot read nowhere.json: [^\n]+\n$/),
    });
    await writeFile(join(root, 'broken.json'), '{"steps": 1,\n');
    const broken = await dalleMini(root, ['train', 'vqgan', '--config', 'broken.json']);
    expect(broken).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /^dalle-mini: broken.json: the text must be JSON, and is not [^\n]+\. Correct it\.\n$/,
      ),
    });
  });

  test('are refused with the name of a missing dataset, and without a folder', async () => {
    const nowhere = await train('vqgan', { ...vqganSettings, dataset: { type: 'folder', path: 'nowhere' } }, 'wrong');
    expect(nowhere).toMatchObject({ code: 1, stderr: expect.stringContaining(join(root, 'nowhere')) });
    const path = await write(vqganSettings);
    const noFolder = await dalleMini(root, ['train', 'vqgan', '--config', path]);
    expect(noFolder).toMatchObject({
      code: 2,
      stderr: `dalle-mini: The folder of the run is missing. Set --folder, or folder in ${path}.\n`,
    });
  });

  test('are required', async () => {
    const { code, stderr } = await dalleMini(root, ['train', 'vqgan']);
    expect(stderr).toBe("dalle-mini: required option '--config <file>' not specified\n");
    expect(code).toBe(2);
  });
});
