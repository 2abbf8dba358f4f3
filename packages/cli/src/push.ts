import { dirname, resolve } from 'node:path';
import { OptionError } from '@dalle-mini/core';
import { type PushedModel, pushModel } from '@dalle-mini/pipeline';
import { readLastEvaluation } from '@dalle-mini/train';
import { UsageError } from './errors.js';
import { duration, ProgressBar } from './progress-bar.js';

export interface PushCommand {
  readonly private?: boolean | undefined;
  readonly message?: string | undefined;
  readonly revision?: string | undefined;
  readonly dataset?: readonly string[] | undefined;
  readonly replaceCard?: boolean | undefined;
  readonly dryRun?: boolean | undefined;
  readonly signal: AbortSignal;
}

/** Runs `dalle-mini push`: uploads a model folder, and prints the address of its page. */
export async function push(folder: string, repo: string, command: PushCommand): Promise<void> {
  const { private: isPrivate, message, revision, dataset, replaceCard, dryRun, signal } = command;
  // A training run writes its model into its own folder.
  const evaluation = await readLastEvaluation(dirname(resolve(folder)));
  const bar = new ProgressBar();
  try {
    const pushed = await pushModel(folder, repo, {
      private: isPrivate,
      message,
      revision,
      replaceCard,
      dryRun,
      signal,
      training: {
        datasets: dataset,
        ...(evaluation && {
          steps: evaluation.step,
          samples: evaluation.samples,
          figures: evaluation.figures,
          sheet: evaluation.sheet,
        }),
      },
      onProgress: ({ stage, done, total, rate, secondsLeft }) => {
        const megabytes = (bytes: number) => (bytes / 1e6).toFixed(1);
        const left = rate === undefined || secondsLeft === undefined ? '' : `, ${duration(secondsLeft)} left`;
        const what = stage === 'hash' ? 'reading' : 'uploading';
        bar.show(total === 0 ? 1 : done / total, `${what} ${megabytes(done)} of ${megabytes(total)} MB${left}`);
      },
    });
    bar.clear();
    if (dryRun) printPlan(pushed);
    else report(pushed);
  } catch (error) {
    throw OptionError.isInstance(error) ? new UsageError(error.message) : error;
  } finally {
    bar.clear();
  }
}

function printPlan({ files, card }: PushedModel): void {
  const lines = files.map(({ name, size, state }) => `${state === 'sent' ? 'send' : 'unchanged'}\t${size}\t${name}\n`);
  process.stdout.write(lines.join(''));
  if (card !== undefined && files.some(({ name, state }) => name === 'README.md' && state === 'sent'))
    process.stdout.write(`\nREADME.md:\n\n${card}`);
}

function report({ url, files, created }: PushedModel): void {
  const sent = files.filter(({ state }) => state === 'sent').length;
  process.stdout.write(`${url}\n`);
  process.stderr.write(
    `${sent} of ${files.length} files ${sent === 1 ? 'was' : 'were'} new or changed${created ? ', in a new repository' : ''}\n`,
  );
}
