import { createHash } from 'node:crypto';
import { cp, mkdir, mkdtemp, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import type { Ended } from '@dalle-mini/testing/processes';
import { tinyMaxLength, writeTinyModel } from '@dalle-mini/testing/tiny-model';
import sharp from 'sharp';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { dalleMini, dalleMiniAfter } from './dalle-mini.js';

let root: string;
let tiny: string;
/** A new folder for each test, in which the command runs. */
let folder: string;

beforeAll(async () => {
  root = await temporaryFolder();
  tiny = await writeTinyModel(root);
});
beforeEach(async () => {
  folder = await mkdtemp(join(root, 'test-'));
});

/** A picture of the repository. */
const picture = join(import.meta.dirname, '../../../emoji/samples.webp');

const generate = (...args: string[]) => dalleMini(folder, ['generate', '--model', tiny, ...args]);
const size = async (path: string) => {
  const { width, height, format } = await sharp(join(folder, path)).metadata();
  return `${format} ${width}×${height}`;
};
const digest = async (path: string) =>
  createHash('sha256')
    .update(await readFile(join(folder, path)))
    .digest('hex');

/** Expects one line on stderr, nothing on stdout, and no file. */
async function expectFailure(result: Ended, code: number, message: string | RegExp): Promise<void> {
  expect(result.stderr).toMatch(/^dalle-mini: [^\n]+\n$/);
  expect(result.stderr).toMatch(message);
  expect(result.stderr).not.toContain('    at ');
  expect(result.stdout).toBe('');
  expect(result.code).toBe(code);
  expect(await readdir(folder)).toEqual([]);
}

describe('the output', () => {
  test('is picture.png, and its path and seed are printed', async () => {
    const { code, stdout, stderr } = await generate('a red apple', '--seed', '7');
    expect(stderr).toMatch(/^seed 7, \d+\.\d s\n$/);
    expect(stdout).toBe('picture.png\n');
    expect(code).toBe(0);
    expect(await readdir(folder)).toEqual(['picture.png']);
    expect(await size('picture.png')).toBe('png 16×16');
  });

  test('is one file with a grid of all images', async () => {
    const { code, stdout } = await generate('a red apple', '--n', '5', '--out', 'new/folder/all.PNG');
    expect(stdout).toBe('new/folder/all.PNG\n');
    expect(code).toBe(0);
    expect(await size('new/folder/all.PNG')).toBe('png 50×33');
  });

  test.each([
    ['all.jpg', 'jpeg 16×16'],
    ['all.webp', 'webp 16×16'],
  ])('has the format of its extension: %s', async (out, expected) => {
    expect((await generate('a red apple', '--out', out)).stdout).toBe(`${out}\n`);
    expect(await size(out)).toBe(expected);
  });

  test('has the format of --format in a folder', async () => {
    expect((await generate('a red apple', '--out', 'webps', '--format', 'webp')).stdout).toBe('webps/1.webp\n');
    expect(await size('webps/1.webp')).toBe('webp 16×16');
  });

  test('cannot have another format than that of its extension', async () => {
    const contradiction = await generate('a red apple', '--out', 'all.png', '--format', 'jpeg');
    await expectFailure(contradiction, 2, '--format jpeg does not match --out all.png. Leave one of the two out.');
  });

  test('is one image without gaps with --seamless', async () => {
    await generate('a red apple', '--n', '4', '--seamless', '--out', 'seamless.png');
    expect(await size('seamless.png')).toBe('png 32×32');
  });

  test('cannot be seamless if the images do not fill a square', async () => {
    const three = await generate('a red apple', '--n', '3', '--seamless', '--out', 'three.png');
    await expectFailure(three, 1, 'n must be a square number if seamless is true, not 3.');
  });

  test('depends on --negative-prompt', async () => {
    const generateTo = (out: string, ...args: string[]) =>
      generate('a red apple', '--seed', '1', '--guidance-scale', '3', '--out', `${out}.png`, ...args);
    await Promise.all([generateTo('without'), generateTo('with', '--negative-prompt', 'a blue heart')]);
    expect(await digest('with.png')).not.toBe(await digest('without.png'));
  });

  test('is one file per image if --out is a folder', async () => {
    const { code, stdout } = await generate('a red apple', '--n', '3', '--out', 'pictures');
    expect(stdout).toBe('pictures/1.png\npictures/2.png\npictures/3.png\n');
    expect(code).toBe(0);
    expect(await readdir(join(folder, 'pictures'))).toEqual(['1.png', '2.png', '3.png']);
    expect(await size('pictures/2.png')).toBe('png 16×16');
  });

  test('is written into an existing folder with any name', async () => {
    await mkdir(join(folder, 'odd.png'));
    expect((await generate('a red apple', '--out', 'odd.png')).stdout).toBe('odd.png/1.png\n');
  });

  test('is the same for the same seed, and image i is the same for every --n', async () => {
    const generateTo = (out: string, ...args: string[]) => generate('a red apple', '--out', out, ...args);
    await Promise.all([
      generateTo('two', '--n', '2', '--seed', '7'),
      generateTo('nine', '--n', '9', '--seed', '7'),
      generateTo('other', '--seed', '8'),
    ]);
    expect(await digest('two/1.png')).toBe(await digest('nine/1.png'));
    expect(await digest('two/2.png')).toBe(await digest('nine/2.png'));
    expect(await digest('nine/1.png')).not.toBe(await digest('nine/9.png'));
    expect(await digest('other/1.png')).not.toBe(await digest('two/1.png'));
  });

  test('can be generated again from the printed random seed', async () => {
    const { stderr } = await generate('a red apple', '--out', 'first.png');
    const [, seed] = /^seed (\d+), /.exec(stderr)!;
    await generate('a red apple', '--out', 'second.png', '--seed', seed!);
    expect(await digest('second.png')).toBe(await digest('first.png'));
  });

  test('is printed as one JSON object with --json', async () => {
    const args = ['--json', '--n', '2', '--seed', '3', '--out', 'out', '--top-k', '5', '--guidance-scale', '3'];
    const { code, stdout, stderr } = await generate('a red apple', ...args);
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({
      prompt: 'a red apple',
      model: tiny,
      seed: 3,
      temperature: 1,
      topK: 5,
      guidanceScale: 3,
      seconds: expect.any(Number),
      warnings: [],
      images: [
        { path: 'out/1.png', index: 0, width: 16, height: 16 },
        { path: 'out/2.png', index: 1, width: 16, height: 16 },
      ],
    });
  });

  test('has the path of the grid for every image in --json', async () => {
    const { stdout } = await generate('a red apple', '--json', '--n', '2');
    expect(JSON.parse(stdout).images.map(({ path }: { path: string }) => path)).toEqual(['picture.png', 'picture.png']);
  });

  test('depends on the sampling options', async () => {
    const generateTo = (out: string, ...args: string[]) =>
      generate('a red apple', '--seed', '1', '--out', `${out}.png`, ...args);
    await Promise.all([generateTo('plain'), generateTo('hot', '--temperature', '3')]);
    await Promise.all([generateTo('k', '--top-k', '1'), generateTo('greedy', '--temperature', '0')]);
    await Promise.all([generateTo('p', '--top-p', '0.000001'), generateTo('unguided', '--guidance-scale', '1')]);
    expect(await digest('k.png')).toBe(await digest('greedy.png'));
    expect(await digest('p.png')).toBe(await digest('greedy.png'));
    const different = await Promise.all(['plain', 'hot', 'greedy', 'unguided'].map((name) => digest(`${name}.png`)));
    expect(new Set(different).size).toBe(4);
  });
});

describe('enlarged images', () => {
  test('have a multiple of the size, or a width in pixels', async () => {
    await Promise.all([
      generate('a red apple', '--scale', '2', '--out', 'twice.png'),
      generate('a red apple', '--scale', '100', '--kernel', 'nearest', '--out', 'hundred.webp'),
      generate('a red apple', '--scale', '4', '--n', '2', '--out', 'folder'),
    ]);
    expect(await size('twice.png')).toBe('png 32×32');
    expect(await size('hundred.webp')).toBe('webp 100×100');
    expect(await size('folder/2.png')).toBe('png 64×64');
  });

  test('have the size of the file in --json', async () => {
    const { stdout } = await generate('a red apple', '--scale', '3', '--json');
    expect(JSON.parse(stdout).images).toEqual([{ path: 'picture.png', index: 0, width: 48, height: 48 }]);
  });

  test('without seams are parts of one enlarged image', async () => {
    const args = ['a red apple', '--seed', '1', '--n', '4', '--seamless', '--scale', '2'];
    await Promise.all([generate(...args, '--out', 'whole.png'), generate(...args, '--out', 'parts')]);
    const whole = await sharp(join(folder, 'whole.png')).extract({ left: 32, top: 32, width: 32, height: 32 }).raw();
    expect(await size('whole.png')).toBe('png 64×64');
    expect(await sharp(join(folder, 'parts/4.png')).raw().toBuffer()).toEqual(await whole.toBuffer());
  });

  test.each([
    [['--scale', '1'], 'It must be a whole number from 2 to 8192.'],
    [['--kernel', 'nearest'], '--kernel needs --scale.'],
    [['--scale', '2', '--kernel', 'cubic'], 'Allowed choices are lanczos, nearest.'],
    [['--scale', '8000', '--n', '5'], '--scale 8000 would give a file of more than 16383 pixels width.'],
  ])('%j is refused', async (args, message) => {
    await expectFailure(await generate('a red apple', ...args), 2, message);
  });
});

describe('ranked images', () => {
  let clip: string;
  beforeAll(async () => {
    clip = join(root, 'clip');
    await mkdir(clip);
    const fixtures = new URL('../../../clip/test/fixtures/', import.meta.url);
    for (const path of [
      'patch-16/config.json',
      'patch-16/model.safetensors',
      'tokenizer/vocab.json',
      'tokenizer/merges.txt',
    ])
      await cp(new URL(path, fixtures), join(clip, basename(path)));
  });

  test('are the best of the candidates, best first', async () => {
    const args = ['a red apple', '--seed', '5', '--rank', clip, '--json'];
    const all = JSON.parse((await generate(...args, '--n', '6', '--out', 'all')).stdout).images;
    const best = JSON.parse((await generate(...args, '--candidates', '6', '--n', '2', '--out', 'best')).stdout).images;
    const scores = all.map(({ score }: { score: number }) => score);
    expect(scores).toEqual([...scores].sort((a, b) => b - a));
    expect(all.map(({ index }: { index: number }) => index).sort()).toEqual([0, 1, 2, 3, 4, 5]);
    const withoutPath = ({ path, ...rest }: { path: string }) => rest;
    expect(best.map(withoutPath)).toEqual(all.slice(0, 2).map(withoutPath));
    expect(await readdir(join(folder, 'best'))).toEqual(['1.png', '2.png']);
    expect(await digest('best/1.png')).toBe(await digest('all/1.png'));
  });

  test('have their scores on stderr', async () => {
    const { stdout, stderr } = await generate('a red apple', '--rank', clip, '--n', '2', '--threads', '1');
    expect(stdout).toBe('picture.png\n');
    expect(stderr).toMatch(/^scores -?\d+\.\d\d, -?\d+\.\d\d\nseed \d+, .* s\n$/);
  });

  test.each([
    [['--rank', 'constructor'], '--rank must be a folder that exists, or a hub name'],
    [['--rank', ''], '--rank must be a folder that exists, or a hub name'],
    [['--candidates', '4'], '--candidates needs --rank'],
    [['--rank', 'clip', '--candidates', '2', '--n', '4'], '--candidates must be at least --n, 4, not 2.'],
    [['--rank', 'clip', '--seamless', '--n', '4'], '--rank and --seamless exclude each other'],
    [['--threads', '0'], 'It must be a whole number from 1 to 1024.'],
  ])('%j is refused', async (args, message) => {
    await expectFailure(await generate('a red apple', ...args), 2, message);
  });

  test('need the files of a CLIP', async () => {
    await expectFailure(await generate('a red apple', '--rank', tiny), 1, join(tiny, 'config.json'));
  });
});

describe('an image to start from', () => {
  test('is scaled and cropped, and its upper rows are kept', async () => {
    const [red, blue] = ['red.png', 'blue.png'];
    for (const [name, background] of Object.entries({ [red]: '#f00', [blue]: '#00f' }))
      await sharp({ create: { width: 50, height: 30, channels: 3, background } })
        .png()
        .toFile(join(folder, name));
    const from = async (image: string, ...args: string[]) => {
      const out = `out-${image}`;
      const result = await generate('a red apple', '--seed', '7', '--image', image, '--out', out, ...args);
      expect(result).toMatchObject({ code: 0, stdout: `${out}\n` });
      return digest(out);
    };
    const half = await from(red);
    expect(await size(`out-${red}`)).toBe('png 16×16');
    expect(await from(red, '--keep-rows', '4')).toBe(half);
    expect(await from(red, '--keep-rows', '7')).not.toBe(half);
    expect(await from(blue)).not.toBe(half);
  });

  test.each([
    [['--keep-rows', '4'], 2, '--keep-rows needs --image'],
    [['--mask', picture], 2, '--mask needs --image'],
    [['--strength', '0.5'], 2, '--strength needs --image'],
    [['--image', picture, '--mask', picture, '--keep-rows', '2'], 2, '--keep-rows and --mask exclude each other'],
    [['--image', picture, '--strength', '0'], 2, 'It must be a number above 0 and of at most 1.'],
    [
      ['--image', picture, '--mask', picture],
      2,
      '--mask must be left out, because the decoder of this model generates row by row: it can only keep rows from the top, with --keep-rows. Use a model with a masked decoder',
    ],
    [['--image', picture, '--strength', '0.5'], 2, '--strength must be 1 or left out, because the decoder'],
    [['--passes', '8'], 2, '--passes must be left out, because this decoder generates row by row.'],
    [['--image', 'missing.png'], 1, 'missing.png'],
    [['--image', join(import.meta.dirname, 'dalle-mini.ts')], 1, 'Cannot decode the image'],
    [['--image', picture, '--keep-rows', '0'], 2, 'It must be a whole number of at least 1.'],
    [['--image', picture, '--keep-rows', '8'], 2, '--keep-rows must be at most 7, because the model has 8 rows'],
  ])('%j is refused', async (args, code, message) => {
    await expectFailure(await generate('a red apple', ...args), code, message);
  });
});

describe('prompts', () => {
  test.each(['', '   ', '\u200b'])('%j is refused', async (prompt) => {
    await expectFailure(await generate(prompt), 2, 'prompt must be a description of the image, such as "a red apple"');
  });

  test('a missing prompt is refused', async () => {
    await expectFailure(await generate(), 2, "missing required argument 'prompt'");
  });

  test('of 100,000 characters are truncated, with a warning', async () => {
    const { code, stderr } = await generate('red apple '.repeat(10_000));
    expect(stderr).toMatch(new RegExp(`^Warning: .*${tinyMaxLength} tokens.*\nseed \\d+, .*\n$`));
    expect(code).toBe(0);
  });

  test('of 100,000 characters without a space are accepted', async () => {
    expect((await generate('a'.repeat(100_000))).code).toBe(0);
  });

  test.each([
    '\ud800 apple',
    'a 😀',
    '👩‍👩‍👧‍👦',
    'תפוח אדום',
    'تفاحة حمراء',
    '\u202eapple',
    "a'; rm -rf $HOME",
    '-- apple',
    '\ufffd',
  ])('%j is accepted', async (prompt) => {
    const { code, stderr } = await generate('--', prompt);
    expect(stderr).toMatch(/seed \d+/);
    expect(code).toBe(0);
  });
});

describe('numbers out of range', () => {
  test.each([
    ['--n', '0', 'It must be a whole number from 1 to 1000.'],
    ['--n', '10000', 'It must be a whole number from 1 to 1000.'],
    ['--n', '2.5', 'It must be a whole number from 1 to 1000.'],
    ['--n', '', 'It must be a whole number from 1 to 1000.'],
    ['--seed', '-1', 'It must be a whole number of at least 0.'],
    ['--seed', '9007199254740992', 'It must be a whole number of at least 0.'],
    ['--temperature', 'NaN', 'It must be a number of at least 0.'],
    ['--temperature', '-0.5', 'It must be a number of at least 0.'],
    ['--temperature', '1e999', 'It must be a number of at least 0.'],
    ['--temperature', 'hot', 'It must be a number of at least 0.'],
    ['--top-k', '0', 'It must be a whole number of at least 1.'],
    ['--top-p', '0', 'It must be a number above 0 and of at most 1.'],
    ['--top-p', '1.5', 'It must be a number above 0 and of at most 1.'],
    ['--guidance-scale', '-2', 'It must be a number of at least 0 and of at most 3.4028234663852886e+38.'],
  ])('%s %s is refused', async (option, value, message) => {
    const result = await generate('a red apple', `${option}=${value}`);
    await expectFailure(result, 2, message);
    expect(result.stderr).toContain(`argument '${value}' is invalid`);
  });

  test('an unknown option is refused', async () => {
    await expectFailure(await generate('a red apple', '--colour', 'red'), 2, "unknown option '--colour'");
  });
});

describe('a damaged model', () => {
  /** Generates with a damaged copy of the tiny model. */
  async function withDamage(damage: (model: string) => Promise<unknown>): Promise<Ended> {
    const copy = join(root, 'copy');
    await rm(copy, { recursive: true, force: true });
    await cp(tiny, copy, { recursive: true });
    await damage(copy);
    return dalleMini(folder, ['generate', 'a red apple', '--model', copy]);
  }

  test('is named if it is missing', async () => {
    await expectFailure(
      await dalleMini(folder, ['generate', 'a red apple', '--model', 'nowhere']),
      1,
      'There is no model at nowhere',
    );
  });

  test('is refused with --which ema if it has no average, and --which takes only the two', async () => {
    await expectFailure(
      await dalleMini(folder, ['generate', 'a red apple', '--which', 'ema']),
      1,
      /is a model folder, whose weights have no average \(EMA\)\. Leave which out\./,
    );
    await expectFailure(await dalleMini(folder, ['generate', 'a red apple', '--which', 'best']), 2, /model, ema/);
  });

  test('is refused with the name of a missing file', async () => {
    const result = await withDamage((model) => rm(join(model, 'decoder', 'model.safetensors')));
    await expectFailure(result, 1, /copy\/decoder\/model\.safetensors: there is no such file/);
  });

  test('is refused with the name of a truncated file', async () => {
    const result = await withDamage(async (model) => {
      const file = await open(join(model, 'vqgan', 'model.safetensors'), 'r+');
      await file.truncate(5000);
      await file.close();
    });
    await expectFailure(result, 1, /copy\/vqgan\/model\.safetensors: .*(truncated|corrupt)/);
  });

  test('is refused with the name of a file of other shapes', async () => {
    const result = await withDamage(async (model) => {
      const path = join(model, 'decoder', 'config.json');
      await writeFile(path, JSON.stringify({ ...JSON.parse(await readFile(path, 'utf8')), width: 32 }));
    });
    await expectFailure(result, 1, /copy\/decoder\/model\.safetensors: .* must have shape .* of the same model/);
  });

  test('is refused with the name of a file that is not JSON', async () => {
    const result = await withDamage((model) => writeFile(join(model, 'model.json'), '{"format":\n'));
    await expectFailure(result, 1, /copy\/model\.json: the text must be JSON, and is not/);
  });
});

describe('an output path that cannot be written', () => {
  test.each([
    ['/dev/null/picture.png', 1, 'a part of its path is a file, not a folder'],
    ['/dev/null/pictures', 1, 'a part of its path is a file, not a folder'],
    ['/proc/picture.png', 1, 'Cannot write /proc/picture.png'],
    ['', 2, '--out must be the path of an image, such as picture.png, or of a folder.'],
    ['picture.gif', 2, '--out must end in .png, .jpg or .webp, or be a folder, not picture.gif.'],
  ])('%j is refused', async (out, code, message) => {
    await expectFailure(await generate('a red apple', '--out', out), code, message);
  });

  test('is refused before the model is loaded', async () => {
    const result = await dalleMini(folder, [
      'generate',
      'a red apple',
      '--model',
      'nowhere',
      '--out',
      '/dev/null/picture.png',
    ]);
    await expectFailure(result, 1, 'Cannot write /dev/null/picture.png');
  });

  test('is refused if it is a file without an image extension', async () => {
    const file = join(root, 'notes');
    await writeFile(file, 'precious');
    await expectFailure(
      await generate('a red apple', '--out', file),
      2,
      /--out must end in \.png, \.jpg or \.webp, or be a folder, not the file .*notes\./,
    );
    expect(await readFile(file, 'utf8')).toBe('precious');
  });

  test.each(['picture.png', 'pictures'])('is reported if the disk is full, and no part of %s is left', async (out) => {
    // No file may grow past 0 bytes, as on a full disk.
    const limits = "trap '' XFSZ; ulimit -f 0";
    const result = await dalleMiniAfter(folder, limits, [
      'generate',
      'a red apple',
      '--model',
      tiny,
      '--n',
      '2',
      '--out',
      out,
    ]);
    expect(result.stderr).toMatch(/^dalle-mini: Cannot write .*pictures?.*\n$/);
    expect(result.code).toBe(1);
    expect((await readdir(folder, { recursive: true })).filter((name) => name !== 'pictures')).toEqual([]);
  });

  test('does not damage an existing image', async () => {
    await generate('a red apple');
    const before = await digest('picture.png');
    const result = await dalleMiniAfter(folder, "trap '' XFSZ; ulimit -f 0", [
      'generate',
      'a red apple',
      '--model',
      tiny,
    ]);
    expect(result.code).toBe(1);
    expect(await digest('picture.png')).toBe(before);
    expect(await readdir(folder)).toEqual(['picture.png']);
  });
});

/**
 * Waits until a process has loaded ONNX Runtime, just before it generates. On other systems than Linux, waits two
 * seconds.
 */
async function runtimeLoaded(pid: number): Promise<void> {
  if (process.platform !== 'linux') return setTimeout(2000);
  while (!(await readFile(`/proc/${pid}/maps`, 'utf8')).includes('libonnxruntime')) await setTimeout(20);
}

describe('interruption', () => {
  test.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('by %s ends the process soon with code %i, and leaves no file', async (signal, code) => {
    let interrupted = 0;
    const result = await dalleMini(
      folder,
      ['generate', 'a red apple', '--model', tiny, '--n', '1000'],
      async (child) => {
        await runtimeLoaded(child.pid!);
        await setTimeout(500);
        interrupted = performance.now();
        child.kill(signal);
      },
    );
    expect(performance.now() - interrupted).toBeLessThan(2000);
    await expectFailure(result, code, 'dalle-mini: interrupted\n');
  });

  test('by a closed pipe is not an error', async () => {
    const { code, stderr } = await dalleMini(folder, ['generate', 'a red apple', '--model', tiny], (child) => {
      child.stdout!.destroy();
    });
    expect(stderr).toMatch(/^seed /);
    expect(code).toBe(0);
    expect(await readdir(folder)).toEqual(['picture.png']);
  });
});

test
  .skipIf(process.platform !== 'linux')
  .each([[['generate', 'a red apple', '--out', 'picture.png']], [['--help']], [['--version']]])(
  '%j reports in one line that stdout cannot be written to',
  async (args) => {
    const model = args[0] === 'generate' ? ['--model', tiny] : [];
    const { code, stderr } = await dalleMiniAfter(folder, 'exec >/dev/full', [...args, ...model]);
    expect(stderr).toContain('dalle-mini: Cannot write to the standard output: the disk is full. Free some space.\n');
    expect(stderr).not.toContain('    at ');
    expect(code).toBe(1);
  },
);

test.each(['constructor', '__proto__', 'toString'])('the model %s does not exist', async (model) => {
  const result = await dalleMini(folder, ['generate', 'a red apple', '--model', model]);
  await expectFailure(result, 1, `There is no model at ${model}.`);
});

test.each(['--version', '-v'])('%s prints the version', async (flag) => {
  const { version } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8'));
  expect(await dalleMini(folder, [flag])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
});

test('writes no files into the home folder', async () => {
  const home = await mkdtemp(join(root, 'home-'));
  const command = `export HOME=${home}; unset XDG_CACHE_HOME XDG_CONFIG_HOME`;
  expect((await dalleMiniAfter(folder, command, ['generate', 'a red apple', '--model', tiny])).code).toBe(0);
  expect(await readdir(home)).toEqual([]);
});

test('prints a help text', async () => {
  const { code, stdout } = await dalleMini(folder, ['generate', '--help']);
  expect(stdout).toContain('Usage: dalle-mini generate [options] <prompt>');
  expect(code).toBe(0);
});
