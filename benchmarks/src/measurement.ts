import type { Timing } from './event-loop.js';
import { median } from './processes.js';
import type { Stages } from './stages.js';

/** The output of a training run, here and in `peers/measure.py`. */
export interface Measurement {
  readonly engine: string;
  readonly unit: 'tokens' | 'images';
  /** Units per second, from the median time of a step. */
  readonly per_second: number;
  /** Median and shortest time of a step. */
  readonly step_ms: number;
  readonly step_ms_min: number;
  /** Largest resident memory that the process had, weights and everything else included. */
  readonly peak_rss_mb: number;
  /** The loss of every step, warm-up included. */
  readonly losses: readonly number[];
}

/** The output of a program that generates images, here and in `peers/generate_*.py`. */
export interface GenerateMeasurement extends Partial<Stages> {
  readonly engine: string;
  /** The dtype of the stored weights, if it was chosen. */
  readonly dtype?: string;
  /** Time until the first call can be made. */
  readonly load_ms: number;
  /** Time of the first call, which compiles, if it differs from the others. */
  readonly first?: Readonly<Record<string, number>>;
  /** Milliseconds of each stage in each round. */
  readonly rounds: readonly Readonly<Record<string, number>>[];
  readonly peak_rss_mb: number;
}

/** Returns the milliseconds of a stage (median of the rounds) or of a separately measured part, if either was measured. */
export function timeOf({ rounds, parts }: GenerateMeasurement, stage: string): number | undefined {
  const times = rounds.flatMap((round) => round[stage] ?? []);
  return times.length > 0 ? median(times) : (parts as Readonly<Record<string, number>> | undefined)?.[stage];
}

/** The output of a program that encodes or decodes images. */
export interface TokenizeMeasurement extends GenerateMeasurement {
  /** Of pixels decoded from the same tokens with weights in float32, in decibels; `null` where they are equal. */
  readonly psnr?: number | null;
  /** The standard deviation of those pixels, of 255: a PSNR says little of a picture without contrast. */
  readonly pixel_deviation?: number;
}

/** The output of a program that starts a model. Times are from the start of its process. */
export interface StartMeasurement {
  /** Whether the release had to be converted before. */
  readonly converted: boolean;
  readonly load_ms: number;
  /** Largest resident memory until the model was loaded, what is mapped of its files included. */
  readonly load_peak_rss_mb: number;
  readonly first_row_ms?: number;
  /** At most: no token of a row can be seen before the row is there. */
  readonly first_token_ms?: number;
}

/** The results of `bundled.ts`. */
export interface BundledMeasurement {
  /** Number of images per call. */
  readonly images: number;
  readonly threads: number;
  readonly load: Timing;
  /** The first call, which compiles, and the calls after it. */
  readonly first: Readonly<Record<'draw' | 'png', Timing>>;
  readonly warm: readonly Readonly<Record<'draw' | 'png', Timing>>[];
  /** Calls that were cancelled in the middle of a row: how long the row took, and for how long the call went on. */
  readonly cancel: readonly { readonly row_ms: number; readonly ms: number }[];
  /** The command line's, from the start of its process to its end. */
  readonly process_ms: readonly number[];
}

/** A model folder that `browser.ts` opens, and calls. */
export interface BrowserTask {
  /** The path of the folder on the server. */
  readonly model: string;
  readonly device: 'wasm' | 'webgpu';
  readonly threads: number;
  /** Calls after the first. */
  readonly rounds: number;
}

/** What a page of `browser.ts` measures: calls that generate one image. */
export interface BrowserTimes {
  /** From the start of the page until it shows the first image, the download included. */
  readonly first_image_ms: number;
  /** Until the model can be called. */
  readonly open_ms: number;
  readonly generate_ms: readonly number[];
  /** The median time of a token, over the rows of the later calls, or of the first if there are no others. */
  readonly token_ms: number;
  /** The longest time in which the page painted no frame. */
  readonly longest_frame_ms: number;
}

/** A page that was opened with an empty or a filled storage of the browser. */
export interface BrowserVisit extends BrowserTimes {
  /** Received from the network, compressed where websites compress. */
  readonly bytes: number;
  /** The largest resident memory of a process of the browser that runs a page, in MB. */
  readonly peak_rss_mb: number;
}

/** The results of `browser.ts`. What cannot be measured has the reason in place of figures. */
export interface BrowserMeasurement {
  /** Of the network, in Mbit/s, of visits with an empty storage. */
  readonly network: number;
  readonly chromium: string;
  readonly models: readonly {
    readonly model: 'bundled' | 'mini';
    readonly engine: string;
    readonly empty?: BrowserVisit;
    readonly filled?: BrowserVisit;
    readonly node?: Omit<BrowserTimes, 'longest_frame_ms'>;
    readonly error?: string;
  }[];
  readonly encoders: readonly (Omit<EncodeTask, 'rounds'> &
    Partial<Omit<EncodeTimes, 'hidden'>> & {
      /** The largest difference of a hidden state from the first row's. */
      readonly difference?: number;
      readonly error?: string;
    })[];
  readonly training: readonly (Omit<StepTask, 'steps'> & Partial<StepTimes> & { readonly error?: string })[];
}

/** Encodes a batch of captions of equal length. */
export interface EncodeTask {
  readonly library: 'this project' | 'transformers.js';
  readonly threads: number;
  readonly batch: number;
  readonly rounds: number;
}

export interface EncodeTimes {
  /** From the files to the first hidden states. */
  readonly open_ms: number;
  readonly ms: readonly number[];
  /** The first hidden states, to compare. */
  readonly hidden: readonly number[];
}

/** Trains a model of `browser-models.ts`. */
export interface StepTask {
  readonly library: 'this project' | 'jax-js';
  readonly model: string;
  readonly device: 'wasm' | 'webgpu';
  readonly threads: number;
  readonly steps: number;
}

export interface StepTimes {
  readonly losses: readonly number[];
  /** Of each step. The first compiles. */
  readonly ms: readonly number[];
}

/** How far a distribution of tokens is from the exact one, over all positions. */
export interface Divergence {
  /** Mean Kullback-Leibler divergence from the exact distribution, in nats a token. */
  readonly kl_nats: number;
  /** Share of the positions where the likeliest token is the same. */
  readonly agreement: number;
}

/** The loss of a model in a dtype. */
export interface DtypeLoss {
  readonly dtype: string;
  /** The file of the decoder's weights. */
  readonly decoder_mb: number;
  readonly plain: Divergence;
  /** With the model's default guidance. */
  readonly guided: Divergence;
  /** The smallest cosine between a token's hidden state and the exact one. */
  readonly text_cosine: number;
  /** Of pixels decoded from the same tokens, in decibels; `null` where they are equal. */
  readonly psnr: number | null;
}

/** The results of `dtype-loss.ts`. */
export interface DtypeLosses {
  readonly prompts: number;
  /** Number of compared tokens. */
  readonly positions: number;
  /** The file of the decoder's weights in float32. */
  readonly decoder_mb: number;
  readonly losses: readonly DtypeLoss[];
}

/** The output of a program that downloads the images of a list, here and in `peers/download_img2dataset.py`. */
export interface DownloadMeasurement {
  readonly engine: string;
  readonly rows: number;
  /** Images that were stored. */
  readonly images: number;
  /** Rows without an image, by the problem. */
  readonly problems: Readonly<Record<string, number>>;
  readonly seconds: number;
  /** Processor time of the program and its processes. */
  readonly cpu_seconds: number;
  /** Processor time of the thread that runs JavaScript. */
  readonly main_thread_seconds?: number;
  /** Largest resident memory of a process. */
  readonly peak_rss_mb: number;
}
