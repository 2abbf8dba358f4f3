import {
  readDecoderSettings,
  readVqganSettings,
  type SettingsProgress,
  trainDecoderFromSettings,
  trainVqganFromSettings,
} from '@dalle-mini/train/settings';
import { UsageError } from './errors.js';
import { showLoading } from './generate.js';
import { duration, ProgressBar } from './progress-bar.js';

export interface TrainCommand {
  /** Path of the settings file. */
  readonly config: string;
  /** The folder of the run. Overrides the folder in the settings. */
  readonly folder?: string | undefined;
  readonly signal: AbortSignal;
}

/** Runs `dalle-mini train`: trains a model, or resumes a stopped run, and prints the path of the result. */
export async function trainFromConfig(kind: 'vqgan' | 'decoder', command: TrainCommand): Promise<void> {
  const { config, signal } = command;
  const bar = new ProgressBar();
  const requireFolder = ({ folder = command.folder }: { readonly folder?: string | undefined }) => {
    if (folder === undefined)
      throw new UsageError(`The folder of the run is missing. Set --folder, or folder in ${config}.`);
  };
  const options = { source: config, folder: command.folder, signal, onProgress: reporter(bar) };
  signal.addEventListener('abort', () => {
    bar.clear();
    process.stderr.write(
      'Stopping after the current steps, with a checkpoint. Run the same command again to resume.\n',
    );
  });
  try {
    if (kind === 'vqgan') {
      const settings = await readVqganSettings(config);
      requireFolder(settings);
      printResult(bar, await trainVqganFromSettings(settings, options));
    } else {
      const settings = await readDecoderSettings(config);
      requireFolder(settings);
      printResult(bar, await trainDecoderFromSettings(settings, options));
    }
  } finally {
    bar.clear();
  }
}

function printResult(bar: ProgressBar, { result }: { readonly result: string }): void {
  bar.clear();
  process.stdout.write(`${result}\n`);
}

/** Returns a callback that shows progress: a bar on a terminal. Without one, training prints a line every 30 seconds. */
function reporter(bar: ProgressBar): (progress: SettingsProgress) => void {
  let last = Number.NEGATIVE_INFINITY;
  return (progress) => {
    const { done, total } = progress;
    if ('model' in progress) return showLoading(bar, progress);
    if (progress.stage === 'prepare') return bar.show(done / total, `rendering emoji ${done} of ${total}`);
    if (progress.stage === 'encode')
      return bar.show(done / total, `encoding image ${done} of ${total} for ${progress.dataset}`);
    const { secondsLeft, loss, rate } = progress;
    const left = done === total ? '' : `, ${duration(secondsLeft)} left`;
    const text = `step ${done} of ${total}, loss ${loss.toPrecision(4)}, ${rate.toPrecision(3)} steps/s${left}`;
    if (process.stderr.isTTY) return bar.show(done / total, text);
    const now = performance.now();
    if (now - last < 30_000 && done < total) return;
    last = now;
    process.stderr.write(`${text}\n`);
  };
}
