/** The convolutional parts of VGG16 and AlexNet, as functions from graph to graph; parameters are named as in torchvision. */
import { GraphError, maxPool2d, type ParameterScope, type PoolingOptions, relu, type Tensor } from '@dalle-mini/graph';
import { conv } from '@dalle-mini/graph/layers';

/** A network whose activations are compared: VGG16 (Simonyan and Zisserman 2015), or AlexNet (Krizhevsky 2014), which is smaller. */
export type PerceptualNetwork = 'vgg16' | 'alexnet';

interface Convolution {
  /** Torchvision's index of the layer in `features`. */
  readonly index: number;
  readonly channels: number;
  readonly kernelSize: number;
  readonly stride?: number;
  readonly padding: number;
}

interface Architecture {
  readonly pooling: PoolingOptions;
  /** Groups of convolutions that end with a tap. */
  readonly stages: readonly { readonly isPooled: boolean; readonly convolutions: readonly Convolution[] }[];
  /** Width and height of the smallest images, of which the last stage has one pixel. */
  readonly smallestImage: number;
}

const conv3 = (index: number, channels: number): Convolution => ({ index, channels, kernelSize: 3, padding: 1 });
const stage = (isPooled: boolean, ...convolutions: Convolution[]) => ({ isPooled, convolutions });

const architectures: { readonly [Network in PerceptualNetwork]: Architecture } = {
  vgg16: {
    pooling: { size: 2 },
    stages: [
      stage(false, conv3(0, 64), conv3(2, 64)),
      stage(true, conv3(5, 128), conv3(7, 128)),
      stage(true, conv3(10, 256), conv3(12, 256), conv3(14, 256)),
      stage(true, conv3(17, 512), conv3(19, 512), conv3(21, 512)),
      stage(true, conv3(24, 512), conv3(26, 512), conv3(28, 512)),
    ],
    smallestImage: 16,
  },
  alexnet: {
    pooling: { size: 3, stride: 2 },
    stages: [
      stage(false, { index: 0, channels: 64, kernelSize: 11, stride: 4, padding: 2 }),
      stage(true, { index: 3, channels: 192, kernelSize: 5, padding: 2 }),
      stage(true, conv3(6, 384)),
      stage(false, conv3(8, 256)),
      stage(false, conv3(10, 256)),
    ],
    smallestImage: 31,
  },
};

/** The networks, largest first. */
export const perceptualNetworks = Object.keys(architectures) as readonly PerceptualNetwork[];

/**
 * Computes the activations that LPIPS compares: those after the convolutions 2, 4, 7, 10 and 13 of VGG16, and after each of AlexNet's
 * five.
 *
 * @param images Normalized as for ImageNet, `[batch, 3, height, width]`.
 * @returns Five tensors `[batch, channels, rows, columns]`, each after a ReLU.
 * @throws GraphError if the images are too small: 16 pixels for VGG16, 31 for AlexNet.
 */
export function activations(scope: ParameterScope, network: PerceptualNetwork, images: Tensor): Tensor[] {
  const { pooling, stages, smallestImage } = architectures[network];
  const [, , height = 0, width = 0] = images.shape;
  if (Math.min(height, width) < smallestImage)
    throw new GraphError(
      `Images must have at least ${smallestImage} × ${smallestImage} pixels for ${network}, not ${width} × ${height}. ` +
        `Enlarge them${network === 'alexnet' ? ', or use vgg16' : ''}.`,
    );
  let x = images;
  return stages.map(({ isPooled, convolutions }) => {
    if (isPooled) x = maxPool2d(x, pooling);
    for (const { index, channels, ...options } of convolutions)
      x = relu(conv(scope.in('features').in(index), x, channels, options));
    return x;
  });
}
