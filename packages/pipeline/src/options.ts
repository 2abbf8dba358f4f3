/** An option has a value that it cannot have. */
export class OptionError extends RangeError {
  override readonly name = 'OptionError';

  constructor(
    /** The option's name, such as `temperature`. */
    readonly option: string,
    /** What it must be, in words that follow its name: `must be a whole number from 1 to 1000`. */
    readonly expectation: string,
    /** What it was. */
    readonly given: unknown,
  ) {
    super(`${option} ${expectation}, not ${text(given)}`);
  }
}

function text(value: unknown): string {
  return typeof value === 'number' || value === undefined ? String(value) : (JSON.stringify(value) ?? typeof value);
}

/** How tokens are drawn. */
export interface Sampling {
  /** Divides the logits: below 1 pictures are safer, above 1 more varied; 0 always takes the likeliest token. Range `[0, ∞)`. Default 1. */
  readonly temperature?: number;
  /** Draws among this many of the likeliest tokens only. A whole number from 1 up. Default all. */
  readonly topK?: number;
  /** Draws among the fewest tokens whose probabilities sum to this only. Range `(0, 1]`. Default 1: all. */
  readonly topP?: number;
  /**
   * How strongly pictures follow the prompt (classifier-free guidance): 1 is off and twice as fast, a few units are usual.
   * Any finite number from 0 up. Default 1.
   */
  readonly guidanceScale?: number;
}

/** Images that are drawn at once, at most. */
export const batchSize = 8;

/** What can be asked for beside the prompt. */
export interface DrawingOptions extends Sampling {
  /** Number of images, 1 to 1000. Default 1. */
  readonly n?: number;
  /** Whole number from 0 to 2³² − 1. The same seed gives the same images. Default 0. */
  readonly seed?: number;
}

interface Rule {
  readonly expectation: string;
  readonly allows: (value: number) => boolean;
}

const largestSeed = 2 ** 32 - 1;

const samplingRules: Record<keyof Sampling, Rule> = {
  temperature: {
    expectation: 'must be a number of 0 or more',
    allows: (value) => value >= 0 && Number.isFinite(value),
  },
  topK: {
    expectation: 'must be a whole number of 1 or more',
    allows: (value) => Number.isSafeInteger(value) && value >= 1,
  },
  topP: { expectation: 'must be a number above 0 and at most 1', allows: (value) => value > 0 && value <= 1 },
  guidanceScale: {
    expectation: 'must be a number of 0 or more',
    allows: (value) => value >= 0 && Number.isFinite(value),
  },
};

const drawingRules: Record<keyof DrawingOptions, Rule> = {
  ...samplingRules,
  n: {
    expectation: 'must be a whole number from 1 to 1000',
    allows: (value) => Number.isInteger(value) && value >= 1 && value <= 1000,
  },
  seed: {
    expectation: `must be a whole number from 0 to ${largestSeed}`,
    allows: (value) => Number.isInteger(value) && value >= 0 && value <= largestSeed,
  },
};

/**
 * Checks numbers that may come from anywhere; options that are not there are fine.
 * @throws OptionError for the first that is out of its range.
 */
export function checkDrawingOptions(options: DrawingOptions): void {
  check(drawingRules, options);
}

/**
 * As `checkDrawingOptions`, for a sampling that was read from a file: fields of other names are refused too.
 * @throws OptionError
 */
export function checkSampling(sampling: Sampling): void {
  const names = Object.keys(samplingRules);
  for (const name of Object.keys(sampling)) {
    if (!names.includes(name))
      throw new OptionError(name, `is not one of ${names.join(', ')}`, sampling[name as keyof Sampling]);
  }
  check(samplingRules, sampling);
}

function check<Options extends object>(rules: Record<keyof Options, Rule>, options: Options): void {
  for (const [name, { expectation, allows }] of Object.entries<Rule>(rules)) {
    const value: unknown = options[name as keyof Options];
    if (value !== undefined && !(typeof value === 'number' && allows(value)))
      throw new OptionError(name, expectation, value);
  }
}
