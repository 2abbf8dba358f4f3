import { join } from 'node:path';
import { makeFolder } from '@dalle-mini/core/node';
import type { Shape, TensorData } from '@dalle-mini/graph';
import {
  type BestEvaluation,
  bestEvaluation,
  bestSteps,
  deleteOldBest,
  readBest,
  type Score,
  saveBest,
} from './best.js';
import { deleteOldCheckpoints, loadCheckpoint, type TrainingState } from './checkpoint.js';
import { deleteUnfinishedFiles } from './checkpoint-files.js';
import { type DataRecord, recordData } from './data-record.js';
import { appendMetrics, type MetricsRecord, truncateMetrics } from './metrics.js';
import type { RunOptions } from './options.js';
import { RunLog } from './run-log.js';
import type { Settings } from './settings.js';

export interface RunFilesOptions
  extends Pick<RunOptions, 'folder' | 'result' | 'earlyStopping' | 'acceptDataChanges' | 'tensorboard'> {
  /** Everything that decides the result. */
  readonly settings: Settings;
  /** Defaults of settings that an older checkpoint may lack. */
  readonly defaults: Settings;
  readonly data: DataRecord;
  /** Shape of each tensor of the state. */
  readonly shapes: ReadonlyMap<string, Shape>;
  readonly samplePrompts?: readonly string[] | undefined;
  /** The metric by which the best step is chosen. */
  readonly score: Score;
}

/** The folder of a run: checkpoints, metrics, the log and the best parameters. On several hosts, rank 0 alone has it. */
export class RunFiles {
  private log: RunLog | undefined;
  private savedStep: number;

  private constructor(
    private readonly options: RunFilesOptions,
    /** The state of the newest checkpoint. */
    readonly state: TrainingState | undefined,
    /** The evaluations to compare. */
    private readonly evaluations: MetricsRecord[],
    private best: BestEvaluation | undefined,
  ) {
    this.savedStep = state?.step ?? 0;
  }

  /**
   * Opens the folder of a run, which is created if it is missing, and removes what is newer than its newest checkpoint.
   *
   * @throws ResumeError if the checkpoint is damaged or of other settings or data; FileError if a file cannot be read or written.
   */
  static async open(options: RunFilesOptions): Promise<RunFiles> {
    const { folder, data, settings, shapes, defaults, score, result, acceptDataChanges: accept = false } = options;
    await makeFolder(folder);
    await deleteUnfinishedFiles(folder);
    const state = await loadCheckpoint(folder, shapes, settings, defaults);
    await recordData(folder, data, { resumes: state !== undefined, earlierLength: state?.dataLength, accept });
    await deleteOld(folder);
    const metrics = await truncateMetrics(join(folder, 'metrics.jsonl'), state?.step ?? 0);
    const known = metrics.filter((record) => score.metric in record);
    const stored = (await bestSteps(folder)).at(-1);
    const best = bestEvaluation(known, score);
    // Without the parameters of the best evaluation, those that are there are the best.
    const comparable = result === 'last' || best?.step === stored ? known : known.filter(({ step }) => step === stored);
    return new RunFiles(options, state, comparable, bestEvaluation(comparable, score));
  }

  /** Whether evaluations have not improved for so long that the run ends. */
  get isStuck(): boolean {
    const { earlyStopping } = this.options;
    return earlyStopping !== undefined && this.best !== undefined && this.best.since >= earlyStopping.patience;
  }

  /** Begins the log of steps to come. */
  async startLog(step: number): Promise<void> {
    this.log = await RunLog.start(this.options.folder, step, this.options.settings, this.options);
  }

  /** Notes an evaluation, and writes its parameters if it is the best. To be called before `add`: metrics name only steps that are there. */
  async addEvaluation(record: MetricsRecord, parameters: ReadonlyMap<string, TensorData>): Promise<void> {
    const { folder, score, result } = this.options;
    this.evaluations.push(record);
    this.best = bestEvaluation(this.evaluations, score);
    if (result !== 'last' && this.best?.step === record.step) await saveBest(folder, record.step, parameters);
  }

  /** Writes the metrics of some steps. */
  async add(records: readonly MetricsRecord[], seconds: number): Promise<void> {
    await appendMetrics(join(this.options.folder, 'metrics.jsonl'), records);
    await this.log!.add(records, seconds);
  }

  /** Whether there is no checkpoint of a step yet. */
  isUnsaved(step: number): boolean {
    return step > this.savedStep;
  }

  /** Notes that there is a checkpoint of a step, and deletes old ones. */
  async saved(step: number): Promise<void> {
    this.savedStep = step;
    await deleteOld(this.options.folder);
  }

  /** Reads the parameters of the best evaluation. Returns `undefined` if those of the last step are the result. */
  async readBest(
    step: number,
    declared: ReadonlyMap<string, { readonly shape: Shape }>,
  ): Promise<Map<string, TensorData> | undefined> {
    const { folder, result } = this.options;
    if (result === 'last' || this.best === undefined || this.best.step === step) return undefined;
    return readBest(folder, this.best.step, declared);
  }
}

async function deleteOld(folder: string): Promise<void> {
  await deleteOldBest(folder, await deleteOldCheckpoints(folder));
}
