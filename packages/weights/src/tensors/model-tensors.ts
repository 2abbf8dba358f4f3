import { CheckpointError } from '../errors/checkpoint-error.js';
import { listNames } from '../errors/lists.js';
import { firstKey, isAverageKey, isTrainingPart } from '../formats/which.js';

/** The tensors of a model in a checkpoint. */
export interface ModelTensors<Tensor> {
  /** What the names in the checkpoint have before those of the model, such as `module.`; often nothing. */
  readonly prefix: string;
  /** The tensors by their names without the prefix. Those of other models and of training are left out. */
  readonly tensors: Map<string, Tensor>;
}

/** Number of parameters by whose names prefixes are looked for. */
const probes = 8;

/**
 * Finds the tensors of a model in a checkpoint, whose names may have a prefix: `module.` of DataParallel, `_orig_mod.`
 * of `torch.compile`, `model.` of a wrapper, `first_stage_model.` of a larger model, `params/` of Flax, or several of
 * them. The prefix is the one under which the most parameters are. Averages (`model_ema.*`) and states of optimizers
 * are left out if the model is there too.
 *
 * @param parameters The possible names of each parameter.
 * @throws CheckpointError if there are as many parameters under another prefix, or the tensors are in a quantized
 *   format of other programs.
 *
 * @example
 * ```ts
 * import { findModel } from '@dalle-mini/weights';
 *
 * const { prefix, tensors } = findModel(new Map([['module.conv.weight', 1]]), [['conv.weight']]);
 * console.log(prefix, tensors); // module. Map(1) { 'conv.weight' => 1 }
 * ```
 */
export function findModel<Tensor>(
  checkpoint: ReadonlyMap<string, Tensor>,
  parameters: Iterable<readonly string[]>,
): ModelTensors<Tensor> {
  const names = [...parameters];
  const prefix = findPrefix(checkpoint, names);
  const tensors = new Map<string, Tensor>();
  for (const [name, tensor] of checkpoint) {
    if (!name.startsWith(prefix)) continue;
    const own = name.slice(prefix.length);
    if (!isOfTraining(own)) tensors.set(own, tensor);
  }
  refuseQuantized(tensors.keys());
  return { prefix, tensors };
}

function findPrefix(checkpoint: ReadonlyMap<string, unknown>, parameters: readonly (readonly string[])[]): string {
  const count = (prefix: string) =>
    parameters.filter((names) => names.some((name) => checkpoint.has(prefix + name))).length;
  const direct = count('');
  if (direct === parameters.length) return '';
  // Long names occur in few places.
  const longest = [...parameters].sort((a, b) => (b[0]?.length ?? 0) - (a[0]?.length ?? 0)).slice(0, probes);
  const candidates = new Set<string>();
  for (const name of checkpoint.keys()) {
    for (const known of longest.flat()) {
      if (!name.endsWith(known)) continue;
      const prefix = name.slice(0, -known.length);
      if (/[./]$/.test(prefix)) candidates.add(prefix);
    }
  }
  let best: { prefix: string; found: number }[] = [{ prefix: '', found: direct }];
  for (const prefix of candidates) {
    const found = count(prefix);
    if (found > best[0]!.found) best = [{ prefix, found }];
    else if (found === best[0]!.found && best[0]!.prefix !== '') best.push({ prefix, found });
  }
  const isAverage = ({ prefix }: { prefix: string }) => prefix.split(/[./]/).some(isAverageKey);
  const models = best.filter((candidate) => !isAverage(candidate));
  const [first, ...others] = models.length > 0 ? models : best;
  if (others.length > 0) {
    throw new CheckpointError(
      `The checkpoint has the model ${best.length} times, under ${listNames(best.map(({ prefix }) => prefix))}. In Python, save the state dict of one of them.`,
    );
  }
  return first!.prefix;
}

/** Checks whether a tensor belongs to training: to an optimizer, to an average, or to the losses. */
function isOfTraining(name: string): boolean {
  const key = firstKey(name);
  return (
    (key.length < name.length && (isAverageKey(key) || isTrainingPart(key))) || /(^|\.)num_batches_tracked$/.test(name)
  );
}

/** The last parts of names in quantized formats, and what writes them. */
const quantized: readonly (readonly [name: RegExp, format: string])[] = [
  [/\.(qweight|qzeros|g_idx)$/, 'GPTQ or AWQ'],
  [/\.(SCB|weight_format|absmax|quant_map|nested_absmax|quant_state\..*)$/, 'bitsandbytes'],
  [/\.(weight_packed|weight_scale|weight_scale_inv|weight_zero_point|input_scale)$/, 'compressed-tensors or FP8'],
];

function refuseQuantized(names: Iterable<string>): void {
  for (const name of names) {
    const format = quantized.find(([pattern]) => pattern.test(name))?.[1];
    if (format !== undefined) {
      throw new CheckpointError(
        `The weights are quantized by ${format} (${listNames([name])}), which is not supported. Use the model that they were made of, and quantize it here.`,
      );
    }
  }
}
