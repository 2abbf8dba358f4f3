/**
 * Winograd's minimal filtering F(4, 3) (Lavin and Gray 2016, section 4.1) down the rows of an image: four rows of a convolution's result
 * take six products a column of the kernel, instead of twelve. In one dimension, for what the two-dimensional form saves
 * more goes into moving what it transforms.
 */
import type { Operation, Shape } from '../../tensor.js';
import type { OnnxEmitter } from '../emitter.js';
import { replace } from './pass.js';

/** Rows of the result that are computed together, and products that they take. */
const rowsTogether = 4;
const products = 6;

/** From six rows of the image to one factor of each product: Bᵀ of the paper. */
const ofImage = [
  [4, 0, -5, 0, 1, 0],
  [0, -4, -4, 1, 1, 0],
  [0, 4, -4, -1, 1, 0],
  [0, -2, -1, 2, 1, 0],
  [0, 2, -1, -2, 1, 0],
  [0, 4, 0, -5, 0, 1],
];
/** From the three rows of the kernel to the other: G. */
const ofKernel = [
  [1 / 4, 0, 0],
  [-1 / 6, -1 / 6, -1 / 6],
  [-1 / 6, 1 / 6, -1 / 6],
  [1 / 24, 1 / 12, 1 / 6],
  [1 / 24, -1 / 12, 1 / 6],
  [0, 0, 1],
];
/** From the products to four rows of the result: Aᵀ. */
const ofProducts = [
  [1, 1, 1, 1, 1, 0],
  [0, 1, -1, 2, -2, 0],
  [0, 1, 1, 4, 4, 0],
  [0, 1, -1, 8, -8, 1],
];
/** The product that Aᵀ adds to each row once: the bias is added to it. */
const biased = 1;

/**
 * Whether the transforms cost less than they save, with a kernel that is an initializer, whose transform is computed once. On two cores
 * of AMD Zen 3 a convolution of 128 channels took three quarters of the time, and of 256 two thirds; of 64 channels it gained
 * nothing. Of few pixels it does, but a kernel's transform has twice its elements, and most of a model's stand in such layers. Of
 * more than 128 x 128 what is transformed takes too much memory: with 256 x 256, a VQ-GAN took 200 MB more for a sixth less time.
 */
function suitsWinograd({ inputs, outputs, attributes }: Operation<'conv2d'>, emitter: OnnxEmitter): boolean {
  const [out, channels, rows, columns] = inputs[1]!.shape as [number, number, number, number];
  const [, , height, width] = outputs[0]!.shape as [number, number, number, number];
  // ONNX Runtime's fastest convolutions take groups of whole blocks of channels, of 8 or 16.
  const isWide = [out, channels].every((count) => count >= 128 && count % 16 === 0);
  const isTiled = attributes.stride === 1 && rows === 3 && columns === 3 && height % rowsTogether === 0;
  if (!emitter.isInitializer(inputs[1]!)) return false;
  return isWide && isTiled && height * width >= 32 ** 2 && height * width <= 128 ** 2;
}

/** Writes such a convolution: the six products are a convolution of six groups, with kernels of one row. */
function winogradConv(
  emitter: OnnxEmitter,
  [image, kernel, bias]: readonly string[],
  { inputs, outputs, attributes: { padding } }: Operation<'conv2d'>,
): string {
  const channels = inputs[0]!.shape[1]!;
  const [batch, out, height, width] = outputs[0]!.shape as [number, number, number, number];
  const [top, left, bottom, right] = padding;
  const strips = height / rowsTogether;
  const transpose = (name: string, perm: readonly number[]) => emitter.node('Transpose', [name], { perm });
  const matrix = (rows: readonly (readonly number[])[], shape: Shape) =>
    emitter.constant('float32', shape, Float32Array.from(rows.flat()));

  // Convolutions too, of each channel alone, that step from strip to strip: so the image stays in ONNX Runtime's layout for them.
  const transformed = ofImage.map((factors) => {
    const filters = emitter.constant(
      'float32',
      [channels, 1, products, 1],
      Float32Array.from({ length: channels * products }, (_, i) => factors[i % products]!),
    );
    const attributes = { group: channels, strides: [rowsTogether, 1], pads: [top, 0, bottom, 0] };
    return emitter.node('Conv', [image!, filters], attributes);
  });

  // A row of the matrix for each of the kernel's nine elements, a column for each of the six times three that they become.
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
  return emitter.reshape(inOrder, outputs[0]!.shape);
}

export const convolveByWinograd = replace('conv2d', winogradConv, suitsWinograd);
