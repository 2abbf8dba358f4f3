import { type DatasetReport, summarizeReport } from '@dalle-mini/data';
import { type Hosts, joinHosts } from '@dalle-mini/hosts';
import {
  readDecoderSettings,
  readVqganSettings,
  type SettingsKind,
  type SettingsProgress,
  type StepProgress,
  type TrainedModel,
  trainDecoderFromSettings,
  trainVqganFromSettings,
} from '@dalle-mini/train/settings';
import { UsageError } from './errors.js';
import { showLoading } from './generate.js';
import { duration, ProgressBar } from './progress-bar.js';
import { lineOf, report } from './report.js';

export interface TrainCommand {
  /** Path of the settings file. */
  readonly config: string;
  /** The folder of the run. Overrides the folder in the settings. */
  readonly folder?: string | undefined;
  /** Settings that replace those of the file, such as `training.learningRate`. */
  readonly overrides?: Readonly<Record<string, unknown>> | undefined;
  /** Whether a run may resume after its data have changed. */
  readonly acceptDataChanges?: boolean | undefined;
  readonly signal: AbortSignal;
}

/**
 * Runs `dalle-mini train`: trains a model, or resumes a stopped run, and prints the path of the result. Started by `mpirun` or `srun`, it
 * trains together with the other processes.
 */
export async function trainFromConfig(kind: SettingsKind, command: TrainCommand): Promise<TrainedModel> {
  const hosts = await joinHosts();
  try {
    const trained = await trainOn(hosts, kind, command);
    await hosts.close();
    return trained;
  } catch (error) {
    if (hosts.size === 1) throw error;
    return await hosts.abort(lineOf(error), report(error, hosts.nameOf(hosts.rank)));
  }
}

async function trainOn(hosts: Hosts, kind: SettingsKind, command: TrainCommand): Promise<TrainedModel> {
  const { config, overrides, signal } = command;
  const bar = new ProgressBar();
  const requireFolder = ({ folder = command.folder }: { readonly folder?: string | undefined }) => {
    if (folder === undefined)
      throw new UsageError(`The folder of the run is missing. Set --folder, or folder in ${config}.`);
  };
  const progress = new Reporter(bar);
  const { folder, acceptDataChanges } = command;
  const isFirst = hosts.rank === 0;
  const onReport = (report: DatasetReport) => {
    bar.clear();
    if (!isFirst) return;
    const { omissions, notes } = report;
    if (omissions.length + notes.length > 0) process.stderr.write(`${summarizeReport(report)}\n`);
    if (omissions.length > 0) process.stderr.write('The folder of the run lists them in left-out.jsonl.\n');
  };
  const onProgress = isFirst ? progress.report : undefined;
  const options = { source: config, folder, hosts, acceptDataChanges, signal, onProgress, onReport };
  signal.addEventListener('abort', () => {
    bar.clear();
    if (isFirst)
      process.stderr.write(
        'Stopping after the current steps, with a checkpoint. Run the same command again to resume.\n',
      );
  });
  const train = async () => {
    if (kind === 'vqgan') {
      const settings = await readVqganSettings(config, { overrides });
      requireFolder(settings);
      return trainVqganFromSettings(settings, options);
    }
    const settings = await readDecoderSettings(config, { overrides });
    requireFolder(settings);
    return trainDecoderFromSettings(settings, options);
  };
  const trained = await train().finally(() => bar.clear());
  if (!isFirst) return trained;
  if (progress.stoppedAt !== undefined)
    process.stderr.write(`Stopped early at step ${progress.stoppedAt}: evaluations no longer improve.\n`);
  process.stdout.write(`${trained.result}\n`);
  return trained;
}

const partNames = { vqgan: 'VQ-GAN', decoder: 'decoder' };

/** Shows progress: a bar on a terminal. Without one, training prints a line every 30 seconds. */
class Reporter {
  private lastLine = Number.NEGATIVE_INFINITY;
  private done = 0;
  private total = 0;

  constructor(private readonly bar: ProgressBar) {}

  /** The last step of a run that ended early. */
  get stoppedAt(): number | undefined {
    return this.done < this.total ? this.done : undefined;
  }

  readonly report = (progress: SettingsProgress): void => {
    const { bar } = this;
    const { done, total } = progress;
    if ('model' in progress) showLoading(bar, progress);
    else if (progress.stage === 'scan') bar.show(done / total, `checking image ${done} of ${total}`);
    else if (progress.stage === 'prepare') bar.show(done / total, `rendering emoji ${done} of ${total}`);
    else if (progress.stage === 'generate')
      bar.show(done / total, `generating image ${done} of ${total} with the model as it is`);
    else if (progress.stage === 'encode')
      bar.show(done / total, `encoding image ${done} of ${total} for ${progress.dataset}`);
    else this.reportTraining(progress);
  };

  private reportTraining({ trains, done, total, secondsLeft, loss, rate }: StepProgress): void {
    Object.assign(this, { done, total });
    const left = done === total ? '' : `, ${duration(secondsLeft)} left`;
    const text = `${partNames[trains]}: step ${done} of ${total}, loss ${loss.toPrecision(4)}, ${rate.toPrecision(3)} steps/s${left}`;
    this.bar.show(done / total, text);
    const now = performance.now();
    if (process.stderr.isTTY || (now - this.lastLine < 30_000 && done < total)) return;
    this.lastLine = now;
    process.stderr.write(`${text}\n`);
  }
}

/**
 * Reads `--set` options, each `name=value` with the names of the fields that lead to a setting, joined by dots. Values are
 * JSON, or else text.
 */
export function readOverrides(texts: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(
    texts.map((text) => {
      const end = text.indexOf('=');
      if (end < 1)
        throw new UsageError(`--set must be a name and a value, such as training.learningRate=1e-4, not ${text}.`);
      return [text.slice(0, end), parsed(text.slice(end + 1))];
    }),
  );
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
