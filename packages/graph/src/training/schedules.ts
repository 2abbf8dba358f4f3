/** A learning rate as a function of the step, counted from 0. */
export type Schedule = (step: number) => number;

/** Always the same. */
export const constantRate =
  (rate: number): Schedule =>
  () =>
    rate;

/** From `peak` to `end` along a line over `steps`, and `end` from there on. */
export const linearDecay =
  (peak: number, steps: number, end = 0): Schedule =>
  (step) =>
    peak + (end - peak) * Math.min(1, step / steps);

/** From `peak` to `end` along half a cosine over `steps` (Loshchilov and Hutter 2017), and `end` from there on. */
export const cosineDecay =
  (peak: number, steps: number, end = 0): Schedule =>
  (step) =>
    end + (peak - end) * 0.5 * (1 + Math.cos(Math.PI * Math.min(1, step / steps)));

/** Rises along a line over the first `steps`, and then follows another schedule, which starts where the rise ends. */
export const warmUp =
  (steps: number, then: Schedule): Schedule =>
  (step) =>
    step < steps ? (then(0) * (step + 1)) / steps : then(step - steps);
