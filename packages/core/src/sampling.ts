import { type Fields, integer, number, optional } from './fields.js';

/** How tokens are sampled from the decoder's logits. */
export interface SamplingOptions {
  /**
   * Divides the logits. Lower values give more typical images, higher values more varied ones; 0 always takes the likeliest token.
   * Range `[0, ∞)`. Default 1.
   */
  readonly temperature?: number | undefined;
  /** Samples among the `topK` likeliest tokens. A whole number of at least 1. Default: all tokens. */
  readonly topK?: number | undefined;
  /** Samples among the smallest set of tokens whose probabilities sum to `topP`. Range `(0, 1]`. Default 1. */
  readonly topP?: number | undefined;
  /**
   * Scale of classifier-free guidance (Ho and Salimans 2022; called super conditioning in DALL·E Mini): the logits are
   * `u + guidanceScale · (c − u)`, where c is conditioned on the caption and u on the empty caption. 1 turns guidance off and is twice
   * as fast. Range `[0, 3.4e38]`. Default 1.
   */
  readonly guidanceScale?: number | undefined;
  /** Passes of a masked decoder: 8 to 12 are usual. From 1 to 1024. Default 12. Other decoders refuse it. */
  readonly passes?: number | undefined;
  /**
   * How much chance there is in the choice of the tokens that a masked decoder keeps after each pass, at the first pass; it falls to 0 at
   * the last. 0 keeps the most confident ones. Range `[0, ∞)`. Default 4.5. Other decoders refuse it.
   */
  readonly choiceTemperature?: number | undefined;
}

/** The largest finite float32. Models compute in float32. */
const largestFloat32 = (2 - 2 ** -23) * 2 ** 127;

/** The fields of {@link SamplingOptions}. Decoders, the pipeline and the command line share these checks. */
export const samplingFields: Fields<SamplingOptions> = {
  temperature: optional(number({ min: 0 })),
  topK: optional(integer({ min: 1 })),
  topP: optional(number({ above: 0, max: 1 })),
  guidanceScale: optional(number({ min: 0, max: largestFloat32 })),
  passes: optional(integer({ min: 1, max: 1024 })),
  choiceTemperature: optional(number({ min: 0 })),
};

/** The range of a seed: 0 to 2⁵³ − 1. */
export const seedField = integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
