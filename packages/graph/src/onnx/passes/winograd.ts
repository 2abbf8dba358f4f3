/**
 * Winograd's minimal filtering F(4, 3) (Lavin and Gray 2016, section 4.1) along the rows of an image: four rows of a convolution's
 * result take six products per column of the kernel instead of twelve. It is one-dimensional, because the two-dimensional form loses
 * more time in its transforms than it saves in products.
 */
import type { Operation, Padding, Shape } from '../../tensor.js';
import type { OnnxEmitter } from '../emitter.js';
import { exchangeForInputGradient, oppositePadding } from './conv-gradients.js';
import { replace } from './pass.js';

/** Number of rows of the result that are computed together, and number of products for them. */
const rowsTogether = 4;
const products = 6;

/** Bᵀ of the paper: transforms six rows of the image to the first factor of each product. */
const ofImage = [
  [4, 0, -5, 0, 1, 0],
  [0, -4, -4, 1, 1, 0],
  [0, 4, -4, -1, 1, 0],
  [0, -2, -1, 2, 1, 0],
  [0, 2, -1, -2, 1, 0],
  [0, 4, 0, -5, 0, 1],
];
/** G: transforms the three rows of the kernel to the second factor. */
const ofKernel = [
  [1 / 4, 0, 0],
  [-1 / 6, -1 / 6, -1 / 6],
  [-1 / 6, 1 / 6, -1 / 6],
  [1 / 24, 1 / 12, 1 / 6],
  [1 / 24, -1 / 12, 1 / 6],
  [0, 0, 1],
];
/** Aᵀ: transforms the products to four rows of the result. */
const ofProducts = [
  [1, 1, 1, 1, 1, 0],
  [0, 1, -1, 2, -2, 0],
  [0, 1, 1, 4, 4, 0],
  [0, 1, -1, 8, -8, 1],
];
/** The product to which the bias is added: Aᵀ adds it to each row exactly once. */
const biased = 1;

/**
 * Checks whether Winograd's form is worth its cost. The kernel must be an initializer, so that it is transformed once. On two cores of
 * AMD Zen 3, a convolution of 128 channels took three quarters of the time and one of 256 channels two thirds, but one of 64 channels
 * gained nothing. Images of few pixels would gain too, but most weights of a model are in such layers, and a transformed kernel has
 * twice as many elements. For images of more than 128 × 128 pixels the transformed images take too much memory: with 256 × 256, a
 * VQ-GAN took 200 MB more for a sixth less time.
 */
function suitsWinograd(
  { inputs, outputs, attributes }: Operation<'conv2d' | 'conv2dInputGradient'>,
  emitter: OnnxEmitter,
): boolean {
  const [out, channels, rows, columns] = inputs[1]!.shape as [number, number, number, number];
  const [, , height, width] = outputs[0]!.shape as [number, number, number, number];
  // The fastest convolutions of ONNX Runtime need groups of whole blocks of 8 or 16 channels.
  const isWide = [out, channels].every((count) => count >= 128 && count % 16 === 0);
  const isTiled = attributes.stride === 1 && rows === 3 && columns === 3 && height % rowsTogether === 0;
  if (!emitter.isInitializer(inputs[1]!)) return false;
  return isWide && isTiled && height * width >= 32 ** 2 && height * width <= 128 ** 2;
}

interface Convolution {
  /** Channels of the image. */
  readonly channels: number;
  /** The shape of the result. */
  readonly shape: Shape;
  readonly padding: Padding;
}

/** Emits a convolution in Winograd's form. The six products are a convolution of six groups, with kernels of one row. */
function winogradConv(
  emitter: OnnxEmitter,
  [image, kernel, bias]: readonly string[],
  { channels, shape, padding }: Convolution,
): string {
  const [batch, out, height, width] = shape as [number, number, number, number];
  const [top, left, bottom, right] = padding;
  const strips = height / rowsTogether;
  const transpose = (name: string, perm: readonly number[]) => emitter.node('Transpose', [name], { perm });
  const matrix = (rows: readonly (readonly number[])[], size: Shape) =>
    emitter.constant('float32', size, Float32Array.from(rows.flat()));

  // The transforms are depthwise convolutions with a stride of one strip, so that the image stays in ONNX Runtime's blocked layout.
  const transformed = ofImage.map((factors) => {
    const filters = emitter.constant(
      'float32',
      [channels, 1, products, 1],
      Float32Array.from({ length: channels * products }, (_, i) => factors[i % products]!),
    );
    const attributes = { group: channels, strides: [rowsTogether, 1], pads: [top, 0, bottom, 0] };
    return emitter.node('Conv', [image!, filters], attributes);
  });

  // The matrix has a row for each of the kernel's 3 × 3 elements, and a column for each of the 6 × 3 transformed elements.
  const elements = [0, 1, 2].flatMap((row) =>
    [0, 1, 2].map((column) =>
      ofKernel.flatMap((factors) => [0, 1, 2].map((other) => (other === column ? factors[row]! : 0))),
    ),
  );
  const factors = emitter.node('MatMul', [emitter.reshape(kernel!, [-1, 9]), matrix(elements, [9, 3 * products])]);
  const kernels = transpose(emitter.reshape(factors, [-1, products, 3]), [1, 0, 2]);
  const biases = (name: string) => {
    const zeros = (count: number) => emitter.constant('float32', [count * out], new Float32Array(count * out));
    return emitter.node('Concat', [zeros(biased), name, zeros(products - biased - 1)], { axis: 0 });
  };
  const multiplied = emitter.node(
    'Conv',
    [
      emitter.node('Concat', transformed, { axis: 1 }),
      emitter.reshape(kernels, [products * out, channels, 1, 3]),
      ...(bias === undefined ? [] : [biases(bias)]),
    ],
    { group: products, pads: [0, left, 0, right] },
  );

  const rows = emitter.node('MatMul', [
    matrix(ofProducts, [rowsTogether, products]),
    emitter.reshape(multiplied, [batch, products, -1]),
  ]);
  const inOrder = transpose(emitter.reshape(rows, [batch, rowsTogether, out, strips, width]), [0, 2, 3, 1, 4]);
  return emitter.reshape(inOrder, shape);
}

export const convolveByWinograd = replace(
  'conv2d',
  (emitter, operands, { inputs, outputs, attributes: { padding } }) =>
    winogradConv(emitter, operands, { channels: inputs[0]!.shape[1]!, shape: outputs[0]!.shape, padding }),
  suitsWinograd,
);

/**
 * Computes the gradient by the image as a convolution in Winograd's form. In training only frozen kernels are initializers, such as those
 * of a perceptual loss: on one core of AMD Zen 4, the backward pass of VGG16 took a sixth less time for 128 × 128 pixels, and a quarter less
 * for 256 × 256.
 */
export const convolveInputGradientsByWinograd = replace(
  'conv2dInputGradient',
  (emitter, [gradient, kernel], { inputs, outputs, attributes: { padding } }) => {
    const { shape } = inputs[1]!;
    const operands = [gradient!, exchangeForInputGradient(emitter, kernel!, shape)];
    return winogradConv(emitter, operands, {
      channels: shape[0]!,
      shape: outputs[0]!.shape,
      padding: oppositePadding(padding, shape),
    });
  },
  (operation, emitter) =>
    suitsWinograd(operation, emitter) &&
    oppositePadding(operation.attributes.padding, operation.inputs[1]!.shape).every((pad) => pad >= 0),
);
