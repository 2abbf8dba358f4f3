import { type GenerateNumbers, generateNumbers } from '@dalle-mini/pipeline/text-to-image';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { InterruptionError, UsageError } from './errors.js';
import { signal } from './signal.js';

// A reader that stops early, such as `head`, is not an error.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}

const program = new Command('dalle-mini')
  .description('Generate images from text, and train models.')
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
  .option('--negative-prompt <text>', 'a description of what images must not show; needs a guidance scale other than 1')
  .option('--seamless', 'generate images that form one large image without seams; --n must be a square number', false)
  .option('--json', 'print one JSON object instead of text', false)
  .action(async (prompt: string, options) => {
    const { generate } = await import('./generate.js');
    await generate(prompt, { ...options, signal });
  });

const train = program.command('train').description('Train a model, or resume a stopped run.');
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
    .action(async (options: { config: string; folder?: string }) => {
      const { trainFromConfig } = await import('./train.js');
      await trainFromConfig(kind, { ...options, signal });
    });
}

try {
  await program.parseAsync();
} catch (error) {
  process.exitCode = report(error);
}

/** Prints an error in one line on stderr. Returns the exit code. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  const reason = signal.aborted && signal.reason instanceof InterruptionError ? signal.reason : error;
  const message = reason instanceof Error ? reason.message : String(reason);
  process.stderr.write(`dalle-mini: ${message.trim().replace(/\s*\n\s*/g, ' ')}\n`);
  if (reason instanceof InterruptionError) return reason.exitCode;
  return reason instanceof UsageError ? 2 : 1;
}

/** Returns a parser that checks the range of a number, so that a wrong number is refused before a model is loaded. */
function numberOption(name: keyof GenerateNumbers): (text: string) => number {
  return (text) => {
    const value = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : Number.NaN;
    const { expected, read } = generateNumbers[name];
    try {
      return read(value, name) as number;
    } catch {
      throw new InvalidArgumentError(`It must be ${expected}.`);
    }
  };
}
