import { cosineDecay, linearDecay, type Schedule, warmUp } from '@dalle-mini/graph';

/** What every kind of training is configured by. */
export interface TrainingConfig {
  /** Samples a batch. */
  readonly batchSize: number;
  /** Steps that one run of the graph takes, without a look outside. Default 10. */
  readonly stepsPerRun?: number;
  /** The highest learning rate, above 0. */
  readonly learningRate: number;
  /** Steps over which the learning rate rises: 0 or more, and fewer than the run takes. */
  readonly warmUpSteps: number;
  /** How it falls from there, to a twentieth at the end. Default `cosine`. */
  readonly schedule?: 'cosine' | 'linear';
  /** Share of a matrix that is lost a step, times the learning rate: 0 or more. */
  readonly weightDecay?: number;
  /** Decay of the moving average of the parameters that is the result, above 0 and below 1. Default none. */
  readonly averageDecay?: number;
}

export const trainingDefaults = { stepsPerRun: 10, schedule: 'cosine' } as const;

/** Refuses a value by its name, with what it may be. */
export function checkField(name: string, value: number, ok: boolean, wanted: string): void {
  if (!ok) throw new RangeError(`${name} must be ${wanted}, not ${value}`);
}

export function checkCount(name: string, value: number): void {
  checkField(name, value, Number.isSafeInteger(value) && value >= 1, 'a positive whole number');
}

/** @throws RangeError that names the field, what it may be, and what it is. */
export function checkTrainingConfig(config: TrainingConfig, steps: number): void {
  const { batchSize, stepsPerRun, learningRate, warmUpSteps, weightDecay = 0, averageDecay = 0.5 } = config;
  checkCount('steps', steps);
  checkCount('batchSize', batchSize);
  checkCount('stepsPerRun', stepsPerRun ?? trainingDefaults.stepsPerRun);
  checkField('learningRate', learningRate, learningRate > 0 && Number.isFinite(learningRate), 'a number above 0');
  const rises = Number.isSafeInteger(warmUpSteps) && warmUpSteps >= 0 && warmUpSteps < steps;
  checkField('warmUpSteps', warmUpSteps, rises, `a whole number from 0 to ${steps - 1}, fewer than the steps`);
  checkField('weightDecay', weightDecay, weightDecay >= 0 && Number.isFinite(weightDecay), 'a number from 0 up');
  checkField('averageDecay', averageDecay, averageDecay > 0 && averageDecay < 1, 'a number above 0 and below 1');
}

/** The learning rate at each step: a rise along a line, and then a fall to a twentieth at the last step. */
export function learningRateOf(config: TrainingConfig, steps: number): Schedule {
  const { learningRate, warmUpSteps, schedule } = config;
  const fall = schedule === 'linear' ? linearDecay : cosineDecay;
  return warmUp(warmUpSteps, fall(learningRate, steps - warmUpSteps, learningRate / 20));
}
