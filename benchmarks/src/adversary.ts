/** A discriminator of the benchmarks: the hinge loss trains it, and its term in the loss of the VQ-GAN has LlamaGen's fixed weight. */
import { add, mean, mul, neg, type ParameterScope, relu, stopGradient, sub, type Tensor } from '@dalle-mini/graph';
import type { TrainingOptions } from '@dalle-mini/graph/training';
import { discriminate, discriminatorPrefix, reconstruct, type VqganConfig } from '@dalle-mini/vqgan';

const discriminatorScope = (scope: ParameterScope) => scope.in('loss').in('discriminator');

/** Computes the adversarial term of reconstructions. */
export function adversarialTerm(scope: ParameterScope, reconstructions: Tensor): Tensor {
  return mul(neg(mean(discriminate(discriminatorScope(scope), reconstructions))), 0.5);
}

/** The discriminator's update in a training step of a VQ-GAN. The batch has `images`. */
export function hingeAdversary(
  config: VqganConfig,
  optimizer: TrainingOptions['optimizer'],
): NonNullable<TrainingOptions['adversary']> {
  return {
    name: 'discriminator',
    prefix: discriminatorPrefix,
    loss: (scope, { images }) => {
      const reconstructions = stopGradient(reconstruct(scope, images!, config).images);
      const [real, fake] = [images!, reconstructions].map((x) => discriminate(discriminatorScope(scope), x));
      return { loss: mul(add(mean(relu(sub(1, real!))), mean(relu(add(1, fake!)))), 0.5) };
    },
    optimizer,
  };
}
