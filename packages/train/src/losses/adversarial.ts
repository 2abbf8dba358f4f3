/** The losses of a GAN, as in Taming Transformers' `modules/losses/vqperceptual.py`. */
import {
  abs,
  add,
  div,
  exp,
  less,
  log,
  maximum,
  mean,
  minimum,
  mul,
  neg,
  type ParameterScope,
  relu,
  select,
  sqrt,
  square,
  stopGradient,
  sub,
  sum,
  type Tensor,
} from '@dalle-mini/graph';
import { zeros } from '@dalle-mini/graph/initializers';

/** The logits of a discriminator for real images and for reconstructions. */
export interface Logits {
  readonly real: Tensor;
  readonly fake: Tensor;
}

/** Losses of a discriminator by name: half the mean of the losses of both kinds of images. */
export const discriminatorLosses = {
  /** max(0, 1 − real) and max(0, 1 + fake) (Lim and Ye 2017). */
  hinge: ({ real, fake }: Logits) => mul(add(mean(relu(sub(1, real))), mean(relu(add(1, fake)))), 0.5),
  /** log(1 + e^−real) and log(1 + e^fake): the cross-entropy (Goodfellow et al. 2014). */
  vanilla: ({ real, fake }: Logits) => mul(add(mean(softplus(neg(real))), mean(softplus(fake))), 0.5),
} as const;

/** Computes log(1 + eˣ) without overflow. */
function softplus(x: Tensor): Tensor {
  return add(maximum(x, 0), log(add(exp(neg(abs(x))), 1)));
}

/**
 * Computes the weight that gives an adversarial gradient the norm of the reconstruction's, both by the last layer of the decoder:
 * ‖reconstruction‖ / (‖adversarial‖ + 1e-4), at most 1e4 (Esser et al. 2021, equation 7). It has no gradient.
 */
export function adaptiveWeight(reconstruction: Tensor, adversarial: Tensor): Tensor {
  const norm = (gradient: Tensor) => sqrt(sum(square(gradient)));
  return stopGradient(minimum(div(norm(reconstruction), add(norm(adversarial), 1e-4)), 1e4));
}

/** Returns 1 from the step `start` on, and 0 before: float32 scalar. `step` is the number of steps taken, int32. */
export function startingAt(start: number, step: Tensor): Tensor {
  return select(less(step, start), 0, 1);
}

/**
 * Computes the regularization of a discriminator for little data (Tseng et al. 2021, LeCam): the mean of max(0, real − A)² and of
 * max(0, B − fake)², for moving averages A of the logits of reconstructions and B of those of real images. These are buffers of the
 * scope.
 *
 * @param since The step from which the discriminator is trained, and logits are averaged.
 */
export function leCamLoss(
  scope: ParameterScope,
  { real, fake }: Logits,
  { decay, step, since }: { readonly decay: number; readonly step: Tensor; readonly since: number },
): Tensor {
  const track = (name: string, logits: Tensor) => {
    const now = stopGradient(mean(logits));
    const before = scope.buffer(name, [], zeros);
    const average = select(less(since, step), add(mul(before, decay), mul(now, 1 - decay)), now);
    scope.assign(name, average);
    return average;
  };
  const [averageReal, averageFake] = [track('logits_real_ema', real), track('logits_fake_ema', fake)];
  return add(mean(square(relu(sub(real, averageFake)))), mean(square(relu(sub(averageReal, fake)))));
}
