/** LPIPS v0.1 (Zhang et al. 2018), as a function from graph to graph; parameters are named as in the Python package. */
import {
  add,
  constant,
  div,
  type Graph,
  inLayer,
  input,
  mean,
  mul,
  ParameterScope,
  reshape,
  type Shape,
  sqrt,
  square,
  sub,
  sum,
  type Tensor,
} from '@dalle-mini/graph';
import { uniform } from '@dalle-mini/graph/initializers';
import { bindParameters, type InMemory, type StoredParameter } from '@dalle-mini/graph/stored';
import type { Checkpoint } from '@dalle-mini/weights';
import { activations, type PerceptualNetwork } from './networks.js';

/** Mean and standard deviation of ImageNet's colors, for pixels in [−1, 1]: the package's ScalingLayer. */
const shift = [-0.03, -0.088, -0.188];
const scale = [0.458, 0.448, 0.45];

const perChannel = (values: readonly number[]): Tensor =>
  constant({ dtype: 'float32', shape: [3, 1, 1], data: Float32Array.from(values) });

/** Normalizes images in [−1, 1], `[batch, 3, height, width]`, and computes their activations. */
function activationsOf(scope: ParameterScope, network: PerceptualNetwork, images: Tensor): Tensor[] {
  return activations(scope, network, div(sub(images, perChannel(shift)), perChannel(scale)));
}

/**
 * Divides the activations of each pixel by their norm. The package divides by the norm plus 1e-10: this equals it in float32, and
 * has a gradient at pixels whose activations are all 0, where the package's is NaN.
 */
function unitLength(x: Tensor): Tensor {
  return div(x, sqrt(add(sum(square(x), { axes: [1], keepDims: true }), 1e-20)));
}

/** Compares the activations of two batches of images: sums over the taps the weighted squared differences, averaged over pixels. */
function distancesOf(scope: ParameterScope, a: readonly Tensor[], b: readonly Tensor[]): Tensor {
  const byTap = a.map((x, tap) => {
    const head = scope.in(`lin${tap}`).in('model').in(1);
    return inLayer(head.path, () => {
      const channels = x.shape[1]!;
      const weight = head.parameter('weight', [1, channels, 1, 1], uniform(channels ** -0.5));
      // The head is a 1×1 convolution to one channel. It is linear, so the mean over pixels can come first.
      const differences = mean(square(sub(unitLength(x), unitLength(b[tap]!))), { axes: [2, 3] }); // [batch, channels]
      return sum(mul(differences, reshape(weight, [channels])), { axes: [1] });
    });
  });
  return byTap.reduce((total, distances) => add(total, distances));
}

/**
 * Computes the LPIPS distances of images `[batch, 3, height, width]` in [−1, 1], pair by pair: `[batch]`. 0 means that they look the
 * same. As a loss, take the mean; freeze the parameters, and load them with {@link importPerceptual}.
 *
 * @param scope Gets the network as `features.…` and the heads as `lin0.model.1.weight` to `lin4.model.1.weight`.
 * @throws GraphError if the images are too small: 16 pixels for VGG16, 31 for AlexNet.
 *
 * @example
 * ```ts
 * import { input, mean, ParameterScope } from '@dalle-mini/graph';
 * import { grad } from '@dalle-mini/graph/training';
 * import { lpips } from '@dalle-mini/perceptual';
 *
 * const reconstructions = input('reconstructions', [4, 3, 64, 64]);
 * const images = input('images', [4, 3, 64, 64]);
 * const loss = mean(lpips(new ParameterScope('perceptual'), 'vgg16', reconstructions, images));
 * const [byReconstructions] = grad(loss, [reconstructions]);
 * console.log(byReconstructions?.shape);
 * ```
 */
export function lpips(scope: ParameterScope, network: PerceptualNetwork, a: Tensor, b: Tensor): Tensor {
  return distancesOf(scope, activationsOf(scope, network, a), activationsOf(scope, network, b));
}

/** Averages the last activations of images in [−1, 1] over pixels: `[batch, channels]`, 512 channels of VGG16 or 256 of AlexNet. */
export function perceptualFeatures(scope: ParameterScope, network: PerceptualNetwork, images: Tensor): Tensor {
  return pooled(activationsOf(scope, network, images));
}

const pooled = (taps: readonly Tensor[]): Tensor => mean(taps.at(-1)!, { axes: [2, 3] });

/** Builds the graph of `a` and `b`, images of one shape in [−1, 1], to their `distances` `[batch]` and their `featuresA` and `featuresB`. */
export function comparisonGraph(network: PerceptualNetwork, shape: Shape): Graph {
  const scope = new ParameterScope();
  const inputs = { a: input('a', shape), b: input('b', shape) };
  const [a, b] = [activationsOf(scope, network, inputs.a), activationsOf(scope, network, inputs.b)];
  return { inputs, outputs: { distances: distancesOf(scope, a, b), featuresA: pooled(a), featuresB: pooled(b) } };
}

/** Returns the parameters of {@link lpips}, by name. */
export function perceptualParameters(network: PerceptualNetwork): ReadonlyMap<string, Tensor> {
  const scope = new ParameterScope();
  const images = input('images', [1, 3, 64, 64]);
  lpips(scope, network, images, images);
  return scope.parameters;
}

/**
 * Returns the parameters of {@link lpips} from the tensors of a checkpoint, such as `weights/vgg16.safetensors` of this package.
 *
 * @throws CheckpointError that lists all tensors that are missing or have another shape.
 */
export function importPerceptual(
  checkpoint: Checkpoint,
  network: PerceptualNetwork,
): Map<string, InMemory<StoredParameter>> {
  return bindParameters(perceptualParameters(network), checkpoint);
}
