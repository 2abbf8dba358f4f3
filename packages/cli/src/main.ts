import { checkDrawingOptions, type DrawingOptions, OptionError } from '@dalle-mini/pipeline/text-to-image';
import { Command, CommanderError, InvalidArgumentError, Option } from 'commander';
import { InterruptionError, UsageError } from './errors.js';
import { signal } from './signal.js';

// A reader that goes away, as `head` does, is no failure.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
  });
}

const program = new Command('dalle-mini')
  .description('Images from text, and the training of models that draw them.')
  .exitOverride()
  .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'dalle-mini: ')) });

program
  .command('generate')
  .description('draw what a description says')
  .argument('<prompt>', 'what the pictures shall show, such as "a red apple"')
  .option('--n <count>', 'number of pictures, 1 to 1000', numberOption('n'), 1)
  .option(
    '--seed <number>',
    'the same seed draws the same pictures (default: a random one, which is printed)',
    numberOption('seed'),
  )
  .option(
    '--out <path>',
    'a .png, .jpg or .webp file, which shows all pictures side by side, or a folder for 1.png, 2.png, …',
    'picture.png',
  )
  .addOption(new Option('--format <name>', 'of the files of a folder (default: png)').choices(['png', 'jpeg', 'webp']))
  .option('--model <name>', 'a bundled model, the path of a folder, or a model of the Hugging Face hub', 'emoji')
  .option('--revision <name>', 'a branch, a tag or a commit of a model of the hub (default: main)')
  .option(
    '--temperature <number>',
    'below 1 safer, above 1 more varied; 0 takes the likeliest',
    numberOption('temperature'),
  )
  .option('--top-k <count>', 'draw among this many of the likeliest tokens', numberOption('topK'))
  .option(
    '--top-p <number>',
    'draw among the likeliest tokens of this probability in all, 0 to 1',
    numberOption('topP'),
  )
  .option('--guidance <scale>', 'how strongly pictures follow the description; 1 is off', numberOption('guidanceScale'))
  .option('--negative <text>', 'what the pictures shall not show; needs a guidance other than 1')
  .option('--seamless', 'draw pictures that blend into each other side by side; --n must be a square number', false)
  .option('--json', 'print one JSON object instead of text', false)
  .action(async (prompt: string, { guidance, ...options }) => {
    const { generate } = await import('./generate.js');
    await generate(prompt, { ...options, guidanceScale: guidance, signal });
  });

const train = program.command('train').description('train a model, or go on with a run that was stopped');
for (const kind of ['vqgan', 'decoder'] as const) {
  train
    .command(kind)
    .description(
      kind === 'vqgan'
        ? 'train the VQ-GAN, which turns pictures into tokens'
        : 'train the decoder, which writes tokens',
    )
    .requiredOption('--config <file>', 'the settings, a JSON file')
    .option('--folder <path>', 'where checkpoints and the result go (default: the folder that the settings name)')
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

/** Tells what went wrong in one line on stderr; returns the exit code. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  const reason = signal.aborted && signal.reason instanceof InterruptionError ? signal.reason : error;
  const message = reason instanceof Error ? reason.message : String(reason);
  process.stderr.write(`dalle-mini: ${message.trim().replace(/\s*\n\s*/g, ' ')}\n`);
  if (reason instanceof InterruptionError) return reason.exitCode;
  return reason instanceof UsageError ? 2 : 1;
}

/** Parses a number and checks its range, so that a wrong one is refused before anything is loaded. */
function numberOption(name: keyof DrawingOptions): (text: string) => number {
  return (text) => {
    const value = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : Number.NaN;
    try {
      checkDrawingOptions({ [name]: value });
    } catch (error) {
      if (error instanceof OptionError) throw new InvalidArgumentError(`It ${error.expectation}.`);
      throw error;
    }
    return value;
  };
}
