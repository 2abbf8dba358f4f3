import { readFileSync } from 'node:fs';
import { integer, number, optional } from '@dalle-mini/core';
import { generateNumbers, imagePromptFields } from '@dalle-mini/pipeline/text-to-image';
import type { DeviceOptions } from '@dalle-mini/train';
import type { PluginName } from '@dalle-mini/xla/plugins';
import { Argument, Command, InvalidArgumentError, Option } from 'commander';
import { report } from './report.js';
import { signal } from './signal.js';
import { reportStreamErrors } from './standard-streams.js';

reportStreamErrors();

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/** The numeric options. */
const numbers = {
  ...generateNumbers,
  candidates: optional(generateNumbers.n),
  keepRows: imagePromptFields.keepRows,
  strength: imagePromptFields.strength,
  count: integer({ min: 1 }),
  threads: integer({ min: 1, max: 1024 }),
  batchSize: integer({ min: 1, max: 4096 }),
  minScore: number(),
  shards: integer({ min: 1, max: 64 }),
  maxLength: integer({ min: 1, max: 4096 }),
  scale: integer({ min: 2, max: 8192 }),
  port: integer({ min: 0, max: 65_535 }),
  requests: integer({ min: 1, max: 64 }),
  queueLength: integer({ min: 0, max: 100_000 }),
  perClient: integer({ min: 1, max: 100_000 }),
  maxImages: integer({ min: 1, max: 1000 }),
};

/** The options of `train`. */
interface TrainOptions extends DeviceOptions {
  readonly config: string;
  readonly folder?: string;
  readonly acceptDataChanges?: boolean;
  readonly set: readonly string[];
}

const program = new Command('dalle-mini')
  .description('Generate images from text, and train models.')
  .version(version, '-v, --version', 'print the version')
  // Options after the name of a subcommand are its own: train has the options of finetune, and train decoder others.
  .enablePositionalOptions()
  .exitOverride()
  .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'dalle-mini: ')) });

program
  .command('generate')
  .description('Generate images from a prompt.')
  .argument('<prompt>', 'a description of the image, such as "a red apple"')
  .option('--n <count>', 'number of images, 1 to 1000', numberOption('n'), 1)
  .option(
    '--seed <number>',
    'seed: the same seed gives the same images (default: a random seed, which is printed)',
    numberOption('seed'),
  )
  .option(
    '--out <path>',
    'a .png, .jpg or .webp file for a grid of all images, or a folder for 1.png, 2.png, …',
    'picture.png',
  )
  .addOption(
    new Option('--format <name>', 'format of the files in a folder (default: png)').choices(['png', 'jpeg', 'webp']),
  )
  .option('--model <name>', 'a bundled model, the path of a folder, or a model on the Hugging Face hub', 'emoji')
  .option('--revision <name>', 'a branch, tag or commit of a hub model (default: main)')
  .addOption(whichOption())
  .option(
    '--temperature <number>',
    'below 1: more likely images, above 1: more varied images; 0 always takes the most likely token',
    numberOption('temperature'),
  )
  .option('--top-k <count>', 'sample from this number of most likely tokens', numberOption('topK'))
  .option(
    '--top-p <number>',
    'sample from the most likely tokens with this total probability, above 0, at most 1',
    numberOption('topP'),
  )
  .option(
    '--guidance-scale <number>',
    'how closely to follow the prompt; 1 turns guidance off',
    numberOption('guidanceScale'),
  )
  .option('--passes <count>', 'passes of a masked decoder, 1 to 1024', numberOption('passes'))
  .option(
    '--choice-temperature <number>',
    'chance in which tokens a masked decoder keeps after a pass; 0 keeps the most confident ones',
    numberOption('choiceTemperature'),
  )
  .option('--negative-prompt <text>', 'a description of what images must not show; needs a guidance scale other than 1')
  .option('--image <file>', 'a picture to complete, edit or vary; it is scaled and cropped to a square')
  .option(
    '--keep-rows <count>',
    "rows of the image's tokens that are kept, from the top; needs --image (default: half of them)",
    numberOption('keepRows'),
  )
  .option(
    '--mask <file>',
    'a picture that is white where --image is generated, and black where it is kept; needs a masked decoder',
  )
  .option(
    '--strength <number>',
    'how far images may be from --image, above 0, at most 1; needs a masked decoder',
    numberOption('strength'),
  )
  .option('--seamless', 'generate images that form one large image without seams; --n must be a square number', false)
  .option('--rank <name>', 'a CLIP, as a folder or a model on the hub: the images are sorted, best first')
  .option(
    '--candidates <count>',
    'number of images to generate, of which the best --n are kept; needs --rank (default: --n)',
    numberOption('candidates'),
  )
  .option(
    '--scale <factor>',
    'enlarge the images: up to 16, the factor, or else the new width in pixels; adds no detail',
    numberOption('scale'),
  )
  .addOption(
    new Option('--kernel <name>', 'how --scale computes pixels: smoothly, or as squares (default: lanczos)').choices([
      'lanczos',
      'nearest',
    ]),
  )
  .option('--threads <count>', 'threads, 1 to 1024 (default: the number of processor cores)', numberOption('threads'))
  .addOption(deviceOption())
  .option('--json', 'print one JSON object instead of text', false)
  .action(async (prompt: string, options) => {
    const { generate } = await import('./generate.js');
    await generate(prompt, { ...options, signal });
  });

program
  .command('serve')
  .description('Serve a model over HTTP, with a web page.')
  .option('--model <name>', 'a bundled model, the path of a folder, or a model on the Hugging Face hub', 'emoji')
  .option('--revision <name>', 'a branch, tag or commit of a hub model (default: main)')
  .addOption(whichOption())
  .option('--port <number>', 'the port, or 0 for one that is free', numberOption('port'), 8080)
  .option('--host <address>', 'the address to listen on; 0.0.0.0 lets other computers connect', '127.0.0.1')
  .option('--rank <name>', 'a CLIP, as a folder or a model on the hub: images are sorted, best first')
  .option('--concurrency <count>', 'requests that generate at the same time', numberOption('requests'), 1)
  .option('--queue-length <count>', 'most requests that wait', numberOption('queueLength'), 32)
  .option('--per-client <count>', 'most requests of one address', numberOption('perClient'), 2)
  .option('--max-images <count>', 'most images of one request', numberOption('maxImages'), 9)
  .option('--trust-proxy', 'take the address of a client from x-forwarded-for, as a reverse proxy sets it')
  .option('--threads <count>', 'threads, 1 to 1024 (default: the number of processor cores)', numberOption('threads'))
  .addOption(deviceOption())
  .action(async (options) => {
    const { serve } = await import('./serve.js');
    await serve({ ...options, signal });
  });

const train = program
  .command('train')
  .description('Train a model, or resume a stopped run. With a folder of pictures, do what finetune does.')
  .enablePositionalOptions();
for (const kind of ['vqgan', 'decoder'] as const) {
  train
    .command(kind)
    .description(
      kind === 'vqgan'
        ? 'Train a VQ-GAN, which turns images into tokens and back.'
        : 'Train a decoder, which generates image tokens from text.',
    )
    .requiredOption('--config <file>', 'a JSON file with the settings')
    .option('--folder <path>', 'the folder for checkpoints and the result (default: the folder in the settings)')
    .addOption(overrideOption())
    .addOption(acceptOption())
    .addOption(deviceOption())
    .addOption(meshOption())
    .addOption(shardingOption())
    .addOption(computeOption())
    .action(async ({ config, folder, acceptDataChanges, set, ...devices }: TrainOptions) => {
      const { readOverrides, trainFromConfig } = await import('./train.js');
      const overrides = { ...readOverrides(set), ...devices };
      await trainFromConfig(kind, { config, folder, acceptDataChanges, overrides, signal });
    });
}

for (const command of [
  train,
  program.command('finetune').description('Fine-tune a model on a folder of pictures, or resume a stopped run.'),
]) {
  command
    .argument('<pictures>', 'a folder of pictures with captions')
    .addOption(
      new Option('--preset <name>', 'the model, and how to train it')
        .choices(['emoji', 'dalle-mini', 'dalle-mega'])
        .default('emoji'),
    )
    .option(
      '--model <name>',
      'another model: a folder, or a model on the Hugging Face hub (default: that of the preset)',
    )
    .addOption(captionsOption())
    .option(
      '--folder <path>',
      'the folder for settings, checkpoints and the result (default: runs/ and the name of <pictures>)',
    )
    .addOption(overrideOption())
    .addOption(acceptOption())
    .addOption(deviceOption())
    .addOption(meshOption())
    .addOption(shardingOption())
    .addOption(computeOption())
    .action(async (pictures: string, { preset, model, captions, folder, acceptDataChanges, set, ...devices }) => {
      const [{ finetune }, { readOverrides }] = await Promise.all([import('./finetune.js'), import('./train.js')]);
      const overrides = readOverrides(set);
      const options = { preset, model, captions, folder, acceptDataChanges, overrides, devices, signal };
      await finetune(pictures, options);
    });
}

program
  .command('init')
  .description('Write a settings file for training.')
  .argument('[pictures]', 'a folder of pictures with captions, from whose number the steps follow (default: pictures)')
  .addOption(
    new Option('--preset <name>', 'what to train')
      .choices([
        'emoji',
        'dalle-mini',
        'dalle-mega',
        'vqgan',
        'decoder',
        'mini-2022',
        'mega',
        'min-dall-e',
        'llama-gen',
        'maskgit',
      ])
      .default('emoji'),
  )
  .option(
    '--model <name>',
    'the model to fine-tune: a folder, or a model on the Hugging Face hub (default: that of the preset)',
  )
  .addOption(captionsOption())
  .option('--train-text-encoder', 'train the text encoder too')
  .option('--out <path>', 'the settings file', 'settings.json')
  .action(async (pictures: string | undefined, options) => {
    const { init } = await import('./init.js');
    await init({ ...options, pictures });
  });

program
  .command('evaluate')
  .description(
    'Measure how well a VQ-GAN reconstructs pictures: PSNR, SSIM, LPIPS, Fréchet distance, use of the codebook.',
  )
  .argument('<model>', 'a VQ-GAN or a whole model: a folder, a bundled model, or a model on the Hugging Face hub')
  .argument('<pictures>', 'a folder of pictures, which need no captions')
  .option('--count <number>', 'number of pictures, evenly spread over the folder (default: all)', numberOption('count'))
  .option('--sheet <file>', 'a .png file to write: pictures, their reconstructions and the differences')
  .option('--threads <count>', 'threads, 1 to 1024 (default: the number of processor cores)', numberOption('threads'))
  .option('--json', 'print one JSON object instead of a table', false)
  .action(async (model: string, pictures: string, options) => {
    const { evaluate } = await import('./evaluate.js');
    await evaluate(model, pictures, { ...options, signal });
  });

program
  .command('plot')
  .description('Write a report of training runs: curves, sheets of images and settings, as one HTML file.')
  .argument('<runs...>', 'the folders of one or more runs, which are compared')
  .option('--out <file>', 'the file', 'report.html')
  .action(async (runs: string[], options: { out: string }) => {
    const { plot } = await import('./plot.js');
    await plot(runs, options);
  });

program
  .command('push')
  .description('Upload a model to the Hugging Face hub, with a model card. HF_TOKEN must have an access token.')
  .argument('<folder>', 'the folder of a model, such as runs/decoder/model')
  .argument('<repository>', 'the name of the repository, owner/name; it is created if it is missing')
  .option('--private', 'make a repository that is created private')
  .option('--message <text>', 'the message of the commit (default: Upload model)')
  .option('--revision <name>', 'the branch, which is created if it is missing (default: main)')
  .option('--dataset <names...>', 'names of data sets on the hub, for the model card')
  .option('--replace-card', 'write the model card again, although the repository has one')
  .option('--dry-run', 'print what would be sent, and change nothing')
  .action(async (folder: string, repository: string, options) => {
    const { push } = await import('./push.js');
    await push(folder, repository, { ...options, signal });
  });

const data = program.command('data').description('Prepare data sets from lists of URLs.');

data
  .command('prepare')
  .description('Download the images of lists of URLs, and write WebDataset shards. The same command again continues.')
  .argument('<settings>', 'a JSON file with the settings')
  .option('--retry-failed', 'only try the rows again that could not be downloaded')
  .addOption(shareOption())
  .option('--queue <url>', 'a Redis or Valkey, redis://host:6379: workers download, which `data work` starts')
  .addOption(overrideOption())
  .action(async (settings: string, { set, share, ...options }) => {
    const [{ prepareData }, { readOverrides }] = await Promise.all([import('./data.js'), import('./train.js')]);
    const overrides = { ...readOverrides(set), ...(share && { share }) };
    await prepareData(settings, { ...options, overrides, signal });
  });

data
  .command('work')
  .description('Download shards of `data prepare --queue` on this machine, until all are written.')
  .argument('<settings>', 'the JSON file with the settings; the lists are not needed')
  .requiredOption('--queue <url>', 'the Redis or Valkey')
  .option('--shards <count>', 'shards at a time', numberOption('shards'), 2)
  .addOption(overrideOption())
  .action(async (settings: string, { set, ...options }) => {
    const [{ workOnData }, { readOverrides }] = await Promise.all([import('./data-queue.js'), import('./train.js')]);
    await workOnData(settings, { ...options, overrides: readOverrides(set), signal });
  });

data
  .command('status')
  .description('Print how far `data prepare --queue` or `data encode --queue` is, and the jobs in the queue.')
  .argument('<place>', 'the JSON file with the settings, or the folder for the tokens')
  .requiredOption('--queue <url>', 'the Redis or Valkey')
  .option('--prometheus', 'print the text format of Prometheus')
  .addOption(overrideOption())
  .action(async (place: string, { set, ...options }) => {
    const [{ printStatus }, { readOverrides }] = await Promise.all([import('./data-queue.js'), import('./train.js')]);
    await printStatus(place, { ...options, overrides: readOverrides(set) });
  });

data
  .command('encode')
  .description('Encode the images of WebDataset shards to tokens. The same command again continues.')
  .argument(
    '<shards...>',
    'folders, archives, patterns such as cc12m/{00000..00012}.tar, and addresses such as s3://bucket/cc12m or https://…',
  )
  .requiredOption('--image-tokenizer <name>', 'a VQ-GAN: a folder, or a model on the Hugging Face hub')
  .option('--out <folder>', 'the folder for the tokens', 'tokens')
  .option('--batch-size <count>', 'images at a time', numberOption('batchSize'), 8)
  .option('--threads <count>', 'threads, 1 to 1024 (default: the number of processor cores)', numberOption('threads'))
  .addOption(deviceOption().default('cpu'))
  .option(
    '--rank <name>',
    'a CLIP, as a folder or a model on the hub: the tokens get scores of how images match captions',
  )
  .option('--min-score <number>', 'leave out images with a lower score; needs --rank', numberOption('minScore'))
  .option(
    '--text-encoder <name>',
    'a text encoder that training does not train, or a model with one, as a folder or on the hub: its hidden states are stored in 16 bits',
  )
  .option(
    '--max-length <count>',
    'tokens of a caption (default: those of the text encoder, or 64)',
    numberOption('maxLength'),
  )
  .option('--s3-endpoint <url>', 'a server of the S3 protocol (default: AWS_ENDPOINT_URL, or Amazon)')
  .addOption(shareOption())
  .option('--queue <url>', 'a Redis or Valkey, redis://host:6379: machines encode that run this command with --work')
  .option('--work', 'encode shards of the queue on this machine, until all are encoded')
  .option('--shards <count>', 'with --work: shards at a time (default: 2)', numberOption('shards'))
  .action(async (shards: string[], options) => {
    const { encodeData } = await import('./data.js');
    await encodeData(shards, { ...options, signal });
  });

const accelerator = program.command('accelerator').description('Install and list plugins of XLA, for GPUs and TPUs.');

accelerator
  .command('install')
  .description('Download a plugin of XLA from PyPI, or from the index that PIP_INDEX_URL sets.')
  .addArgument(new Argument('<name>', 'what it computes on').choices(['cpu', 'cuda12', 'cuda13', 'tpu']))
  .action(async (name: PluginName) => {
    const { installAccelerator } = await import('./accelerator.js');
    await installAccelerator(name, { signal });
  });

accelerator
  .command('list')
  .description('Print the plugins on this computer with their devices.')
  .action(async () => {
    const { listAccelerators } = await import('./accelerator.js');
    await listAccelerators();
  });

accelerator
  .command('devices')
  .description('Open a plugin and print its devices.')
  .argument('<plugin>', "the path of the plugin's library")
  .action(async (plugin: string) => {
    const { printDevices } = await import('./accelerator.js');
    await printDevices(plugin);
  });

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = report(error) || process.exitCode;
}

/** The option of commands that generate. */
function whichOption(): Option {
  return new Option(
    '--which <weights>',
    'of a published model with both: its weights, or their moving average (default: model)',
  ).choices(['model', 'ema']);
}

/** The option of commands that count pictures. */
function captionsOption(): Option {
  return new Option('--captions <source>', 'file-names: a picture without a caption is called what its file is called')
    .choices(['given', 'file-names'])
    .default(undefined, 'given');
}

/** The option of commands that resume a run. */
function acceptOption(): Option {
  return new Option('--accept-data-changes', 'resume a run although its images or captions have changed');
}

/** Returns the option that overrides settings. It may be given several times. */
function overrideOption(): Option {
  return new Option('--set <name=value>', 'override a setting, such as training.learningRate=1e-4; may be repeated')
    .argParser((text: string, earlier: readonly string[]) => [...earlier, text])
    .default([], 'none');
}

/** Returns the option for the share of one of several machines. */
function shareOption(): Option {
  const text = 'do the share of one of several machines, counted from 0: 0/4, 1/4, 2/4 or 3/4';
  return new Option('--share <rank/count>', text).argParser(parseShare);
}

function parseShare(text: string): { rank: number; count: number } {
  const [, rank, count] = /^(\d+)\/(\d+)$/.exec(text) ?? [];
  if (Number(rank) < Number(count)) return { rank: Number(rank), count: Number(count) };
  throw new InvalidArgumentError('It must be a rank from 0 and the number of machines, such as 0/4.');
}

function deviceOption(): Option {
  return new Option(
    '--device <name>',
    'what computes: the processor (cpu or, with XLA, xla-cpu), GPUs or TPUs',
  ).choices(['cpu', 'xla-cpu', 'cuda', 'tpu']);
}

function meshOption(): Option {
  return new Option('--mesh <sizes>', 'the devices that train together, such as data=4 or data=2,model=2').argParser(
    (text) =>
      Object.fromEntries(
        text.split(',').map((part) => {
          const [, axis, size] = /^(data|model)=(\d+)$/.exec(part) ?? [];
          if (axis === undefined) throw new InvalidArgumentError('It must be such as data=4 or data=2,model=2.');
          return [axis, Number(size)];
        }),
      ),
  );
}

function shardingOption(): Option {
  return new Option('--sharding <name>', 'where the parameters are: whole on every device, or divided').choices([
    'replicated',
    'fsdp',
    'rules',
  ]);
}

function computeOption(): Option {
  return new Option('--compute <type>', 'element type of products of matrices and of convolutions').choices([
    'float32',
    'bfloat16',
  ]);
}

/** Returns a parser that checks the range of a number, so that a wrong number is refused before a model is loaded. */
function numberOption(name: keyof typeof numbers): (text: string) => number {
  return (text) => {
    const value = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : Number.NaN;
    const { expected, read } = numbers[name];
    try {
      return read(value, name) as number;
    } catch {
      throw new InvalidArgumentError(`It must be ${expected}.`);
    }
  };
}
