import { quote } from '@dalle-mini/core';
import { CheckpointError } from '../errors/checkpoint-error.js';
import { listNames } from '../errors/lists.js';

/**
 * Weights of a file of training that has several: those of the model, or their exponential moving average (EMA).
 */
export type WhichWeights = 'model' | 'ema';

/** The key of an average, such as `ema`, `params_ema`, `ema_state_dict`, `averaged_model` or `swa_model`. */
export function isAverageKey(key: string): boolean {
  return /(^|_)(ema|averaged?|shadow|polyak|swa)(_|$)/i.test(key);
}

/** The key of what training needs next to the weights, which is never loaded as weights. */
export function isTrainingKey(key: string): boolean {
  return (
    /optim|sched|scaler|discrim/i.test(key) ||
    /^(opt|opt_state|disc|loss|losses|lpips|perceptual_loss|callbacks|loops|rng\w*|random\w*|hyper_parameters|hparams)$/i.test(
      key,
    )
  );
}

/**
 * The key of training as the first part of a tensor's name. Fewer than {@link isTrainingKey}: a module of the model may
 * have any name.
 */
export function isTrainingPart(key: string): boolean {
  return /^(optimizers?|optimizer_states?|optimizer_state_dict|opt_state|lr_schedulers?|grad_scaler|loss|discriminator)$/.test(
    key,
  );
}

/** The first part of a name of nested keys. */
export function firstKey(name: string): string {
  return /^[^./]*/.exec(name)![0];
}

const averagedCount = 'n_averaged';

/**
 * Selects the tensors of the model, or of its average, by their names. An average has the names of the model after a
 * key of its own (`ema.encoder.weight`), or, as `LitEma` of latent diffusion writes it, those names without dots
 * (`model_ema.encoderweight`), where what is not trained is only in the model.
 *
 * @returns Each name that the selected tensors get, and their name in the file.
 * @throws CheckpointError if the average is wanted, and there is none.
 */
export function selectWeights(names: Iterable<string>, which: WhichWeights): Map<string, string> {
  const all = [...names];
  const averages = all.filter((name) => name.length > firstKey(name).length && isAverageKey(firstKey(name)));
  const others = all.filter((name) => !isAverageKey(firstKey(name)) && !isTrainingPart(firstKey(name)));
  if (which === 'model') {
    const kept = others.length > 0 ? others : averages;
    return new Map(kept.map((name) => [name, name]));
  }
  // PyTorch's AveragedModel: all of the file is the average, and the number of models in it.
  if (all.includes(averagedCount))
    return new Map(others.filter((name) => name !== averagedCount).map((name) => [name, name]));
  if (averages.length === 0) throw noAverage([...new Set(all.map(firstKey))]);
  const key = firstKey(averages[0]!);
  const average = new Map(averages.map((name) => [name.slice(key.length + 1), name]));
  const withoutDots = others.filter((name) => average.has(name.replaceAll('.', '')));
  if (withoutDots.length < 2) return average;
  return new Map(others.map((name) => [name, average.get(name.replaceAll('.', '')) ?? name]));
}

/** A file has no average of the weights, which is wanted. */
export class MissingAverageError extends CheckpointError {
  static override readonly code = 'MISSING_AVERAGE';
}

/** Creates the error of a file that has no average. */
export function noAverage(keys: readonly string[]): MissingAverageError {
  return new MissingAverageError(
    `The file has no average of the weights (EMA). It has ${keys.length > 0 ? listNames(keys) : 'no tensors'}. Set which to ${quote('model')}.`,
  );
}
