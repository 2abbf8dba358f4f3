/** A learning rate as a function of the step, counted from 0. */
export type Schedule = (step: number) => number;

/** Returns a schedule with a constant learning rate. */
export const constantRate =
  (rate: number): Schedule =>
  () =>
    rate;

/** Returns a schedule that falls linearly from `peak` to `end` over `steps`, and then stays at `end`. */
export const linearDecay =
  (peak: number, steps: number, end = 0): Schedule =>
  (step) =>
    peak + (end - peak) * Math.min(1, step / steps);

/** Returns a schedule that falls from `peak` to `end` along half a cosine over `steps` (Loshchilov and Hutter 2017), then stays at `end`. */
export const cosineDecay =
  (peak: number, steps: number, end = 0): Schedule =>
  (step) =>
    end + (peak - end) * 0.5 * (1 + Math.cos(Math.PI * Math.min(1, step / steps)));

/** Returns a schedule that rises linearly over the first `steps`, and then follows another schedule from its start. */
export const warmUp =
  (steps: number, then: Schedule): Schedule =>
  (step) =>
    step < steps ? (then(0) * (step + 1)) / steps : then(step - steps);
