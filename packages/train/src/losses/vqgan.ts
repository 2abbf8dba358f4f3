/** The losses of a VQ-GAN and of its discriminator (Esser et al. 2021), as updates of a training step. */
import { boolean, type Fields, integer, number, object, oneOf, optional, refuse } from '@dalle-mini/core';
import {
  abs,
  add,
  fill,
  mean,
  mul,
  neg,
  type ParameterScope,
  reshape,
  scatterAdd,
  stopGradient,
  sub,
  sum,
  type Tensor,
} from '@dalle-mini/graph';
import { meanSquaredError } from '@dalle-mini/graph/layers';
import { grad, type LossResult } from '@dalle-mini/graph/training';
import { lpips, type PerceptualNetwork, perceptualNetworks } from '@dalle-mini/perceptual';
import {
  type DiscriminatorConfig,
  discriminate,
  discriminatorFields,
  pixelsToRows,
  type QuantizeOptions,
  reconstruct,
  type VqganConfig,
} from '@dalle-mini/vqgan';
import { adaptiveWeight, discriminatorLosses, leCamLoss, startingAt } from './adversarial.js';

/** LeCam regularization, which keeps a discriminator from learning a small dataset by heart. */
export interface LeCamConfig {
  /** Weight in the loss of the discriminator, such as 0.001. */
  readonly weight: number;
  /** Decay of the moving averages of logits. Default 0.999. */
  readonly decay?: number | undefined;
}

/** A discriminator that a VQ-GAN is trained against. */
export interface AdversarialConfig extends DiscriminatorConfig {
  /**
   * The step from which the adversarial term counts in the loss of the VQ-GAN. Taming's is after reconstructions have become good:
   * 250,000 on ImageNet, 10,000 in its example for other pictures.
   */
  readonly start: number;
  /**
   * The step from which the discriminator is trained. Default 0: it has then learned something when its term begins to count. Taming's is
   * `start`.
   */
  readonly trainedFrom?: number | undefined;
  /** Weight of the adversarial term. Default 0.8 (Taming); 0.5 in LlamaGen. */
  readonly weight?: number | undefined;
  /**
   * Whether the weight is multiplied by the ratio of the norms of the gradients by the decoder's last layer, of the reconstruction's terms
   * and of the adversarial term. Default true (Taming); false in LlamaGen.
   */
  readonly adaptive?: boolean | undefined;
  /** The loss of the discriminator: `hinge`, the default, or `vanilla`, the cross-entropy. */
  readonly loss?: 'hinge' | 'vanilla' | undefined;
  /** Default: none. */
  readonly leCam?: LeCamConfig | undefined;
}

export const adversarialField = object<AdversarialConfig>({
  ...discriminatorFields,
  start: integer(),
  trainedFrom: optional(integer()),
  weight: optional(number({ min: 0 })),
  adaptive: optional(boolean()),
  loss: optional(oneOf(['hinge', 'vanilla'])),
  leCam: optional(object<LeCamConfig>({ weight: number({ min: 0 }), decay: optional(number({ min: 0, below: 1 })) })),
});

/** Checks a discriminator for a VQ-GAN. `path` is that of its field. */
export function checkDiscriminator(
  { layers = 3, start, trainedFrom = 0 }: AdversarialConfig,
  { resolution }: VqganConfig,
  path: string,
): void {
  const most = Math.floor(Math.log2(resolution / 3));
  if (layers > most) refuse(`${path}.layers`, `at most ${most}, for images of ${resolution} pixels`, layers);
  if (trainedFrom > start) refuse(`${path}.trainedFrom`, `at most start, ${start}`, trainedFrom);
}

/** A term of a VQ-GAN's loss that compares how images look: the LPIPS distance (Zhang et al. 2018). */
export interface PerceptualConfig {
  /** Weight of the mean distance. Default 1. */
  readonly weight?: number | undefined;
  /** The network that the distance is of. Default `vgg16`, as in Taming; `alexnet` is faster and less sharp. */
  readonly network?: PerceptualNetwork | undefined;
}

const perceptualField = object<PerceptualConfig>({
  weight: optional(number({ min: 0 })),
  network: optional(oneOf(perceptualNetworks)),
});

/** Checks a perceptual term for a VQ-GAN. `path` is that of its field. */
export function checkPerceptual(
  { network = 'vgg16' }: PerceptualConfig,
  { resolution }: VqganConfig,
  path: string,
): void {
  const smallest = { vgg16: 16, alexnet: 31 }[network];
  if (resolution < smallest)
    refuse(path, `left out for images of fewer than ${smallest} pixels with ${network}`, { network });
}

/** How the codebook of a VQ-GAN is trained. */
export interface QuantizerConfig extends QuantizeOptions {
  /** Weight of the entropy loss, against codes that are never used; 0.1 in MAGVIT-v2. Default 0. */
  readonly entropyWeight?: number | undefined;
}

const quantizerField = object<QuantizerConfig>({
  gradient: optional(oneOf(['straightThrough', 'rotation'])),
  averageCodes: optional(number({ min: 0, below: 1 })),
  entropyWeight: optional(number({ min: 0 })),
});

/** The weights of the terms of a VQ-GAN's loss, and its discriminator. */
export interface VqganLossConfig {
  /** Weight of the mean squared error. Default 1; 0 in Taming. */
  readonly squaredErrorWeight?: number | undefined;
  /** Weight of the mean absolute error. Default 0; 1 in Taming. */
  readonly absoluteErrorWeight?: number | undefined;
  /** Weight of the codebook loss. Default 1; 0.25 in Taming, whose weights are exchanged (`legacy`). */
  readonly codebookWeight?: number | undefined;
  /** Weight of the commitment loss. Default 0.25 (van den Oord et al. 2017); 1 in Taming. */
  readonly commitmentWeight?: number | undefined;
  /** The perceptual term. Default: none. */
  readonly perceptual?: PerceptualConfig | undefined;
  /** How the codebook is trained. */
  readonly quantizer?: QuantizerConfig | undefined;
  /** The discriminator. Default: none. */
  readonly discriminator?: AdversarialConfig | undefined;
}

const weight = optional(number({ min: 0 }));

export const vqganLossFields: Fields<VqganLossConfig> = {
  squaredErrorWeight: weight,
  absoluteErrorWeight: weight,
  codebookWeight: weight,
  commitmentWeight: weight,
  perceptual: optional(perceptualField),
  quantizer: optional(quantizerField),
  discriminator: optional(adversarialField),
};

export const vqganLossDefaults = {
  squaredErrorWeight: 1,
  absoluteErrorWeight: 0,
  codebookWeight: 1,
  commitmentWeight: 0.25,
} as const;

type CompleteLossConfig = VqganLossConfig & {
  readonly [Field in keyof typeof vqganLossDefaults]: number;
} & { readonly model: VqganConfig };

/** Usage count of each code, `[nEmbed]`, and the vectors before quantization, `[vectors, embedDim]`. */
function codeMetrics({ tokens, vectors }: { readonly tokens: Tensor; readonly vectors: Tensor }, nEmbed: number) {
  const counts = scatterAdd(tokens, fill([tokens.shape[0]!, 1], 1), nEmbed);
  return { codeCounts: reshape(counts, [-1]), vectors: pixelsToRows(vectors) };
}

const discriminatorScope = (scope: ParameterScope) => scope.in('loss').in('discriminator');

/**
 * Computes the loss of a VQ-GAN for images `[batch, 3, size, size]`: the errors of the reconstructions, the codebook and commitment
 * losses, and the adversarial term.
 *
 * @param step The number of steps taken, an int32 scalar.
 */
export function vqganLoss(scope: ParameterScope, images: Tensor, config: CompleteLossConfig, step: Tensor): LossResult {
  const { model, perceptual, discriminator } = config;
  const { entropyWeight = 0, ...quantizer } = config.quantizer ?? {};
  const result = reconstruct(scope, images, model, quantizer);
  const squaredError = meanSquaredError(result.images, images);
  const absoluteError = mean(abs(sub(result.images, images)));
  const perceptualLoss = perceptual && perceptualDistance(scope, [result.images, images], perceptual, model);
  const reconstruction = [
    mul(squaredError, config.squaredErrorWeight),
    mul(absoluteError, config.absoluteErrorWeight),
    ...(perceptualLoss ? [mul(perceptualLoss, perceptual.weight ?? 1)] : []),
  ].reduce((total, term) => add(total, term));
  const { codebookLoss, commitmentLoss, entropyLoss } = result;
  const quantization = [
    mul(commitmentLoss, config.commitmentWeight),
    // Averages of vectors are not trained.
    ...(quantizer.averageCodes === undefined ? [mul(codebookLoss, config.codebookWeight)] : []),
    ...(entropyWeight > 0 ? [mul(entropyLoss, entropyWeight)] : []),
  ].reduce((total, term) => add(total, term));
  const metrics = {
    squaredError,
    absoluteError,
    ...(perceptualLoss ? { perceptualLoss } : {}),
    codebookLoss,
    ...(entropyWeight > 0 ? { entropyLoss } : {}),
  };
  const codes = codeMetrics(result, model.nEmbed);
  if (!discriminator) return { loss: add(reconstruction, quantization), metrics: { ...metrics, ...codes } };

  // Its normalization mixes the images of a batch: hosts that have shares of it compute with all of them.
  const reconstructions = scope.in('loss').statistic('reconstructions', result.images, 'rows');
  const adversarialLoss = neg(mean(discriminate(discriminatorScope(scope), reconstructions, discriminator)));
  const { start, weight = 0.8, adaptive = true } = discriminator;
  // The gradients by the images serve the weight and the loss, so that each network is differentiated once.
  const [byReconstruction, byAdversary] = [reconstruction, adversarialLoss].map((term) =>
    stopGradient(grad(term, [result.images])[0]!),
  ) as [Tensor, Tensor];
  const lastLayer = scope.parameters.get('decoder.conv_out.weight')!;
  const byLastLayer = (name: string, byImages: Tensor) => {
    const gradient = grad(sum(mul(result.images, byImages)), [lastLayer])[0]!;
    return scope.in('loss').statistic(name, stopGradient(gradient), 'mean');
  };
  const factor = mul(startingAt(start, step), weight);
  const adversarialWeight = adaptive
    ? mul(
        adaptiveWeight(byLastLayer('by_reconstruction', byReconstruction), byLastLayer('by_adversary', byAdversary)),
        factor,
      )
    : factor;
  const byImages = add(byReconstruction, mul(byAdversary, adversarialWeight));
  return {
    loss: add(add(reconstruction, mul(adversarialLoss, adversarialWeight)), quantization),
    surrogate: add(sum(mul(result.images, byImages)), quantization),
    metrics: { ...metrics, adversarialLoss, adversarialWeight, ...codes },
  };
}

/** The place of the parameters of the perceptual term, which are not trained. */
export const perceptualPrefix = 'loss.perceptual.';

/** Computes the mean LPIPS distance of two batches of images in `pixelRange`. */
export function perceptualDistance(
  scope: ParameterScope,
  images: readonly Tensor[],
  { network = 'vgg16' }: PerceptualConfig,
  { pixelRange: [black, white] = [-1, 1] }: VqganConfig,
): Tensor {
  // LPIPS takes pixels in [−1, 1].
  const [a, b] = images.map((x) => mul(sub(x, (black + white) / 2), 2 / (white - black)));
  return mean(lpips(scope.in('loss').in('perceptual'), network, a!, b!));
}

/** Computes the loss of the discriminator for images and their reconstructions, which get no gradient. */
export function discriminatorLoss(
  scope: ParameterScope,
  images: Tensor,
  config: CompleteLossConfig & { readonly discriminator: AdversarialConfig },
  step: Tensor,
): LossResult {
  const { model, discriminator } = config;
  const { loss = 'hinge', trainedFrom = 0, leCam } = discriminator;
  const allImages = (name: string, some: Tensor) => scope.in('loss').statistic(name, stopGradient(some), 'rows');
  const reconstructions = allImages('fakes', reconstruct(scope, images, model).images);
  const own = discriminatorScope(scope);
  const logits = {
    real: discriminate(own, allImages('reals', images), discriminator),
    fake: discriminate(own, reconstructions, discriminator),
  };
  let total = discriminatorLosses[loss](logits);
  if (leCam) {
    const { decay = 0.999 } = leCam;
    const regularization = leCamLoss(scope.in('loss').in('lecam'), logits, { decay, step, since: trainedFrom });
    total = add(total, mul(regularization, leCam.weight));
  }
  return {
    loss: mul(total, startingAt(trainedFrom, step)),
    metrics: { realLogits: mean(logits.real), fakeLogits: mean(logits.fake) },
  };
}
