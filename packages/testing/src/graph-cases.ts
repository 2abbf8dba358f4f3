import * as g from '@dalle-mini/graph';
import * as layers from '@dalle-mini/graph/layers';
import { grad } from '@dalle-mini/graph/training';
import { conv2dInputGradient, conv2dWeightGradient, maxPool2dGradient } from '../../graph/src/operators.js';
import { float32, int32, Values } from './values.js';

/** A call of an operator or of a layer with values. The tests of runtimes and of gradients share these cases. */
export interface Case {
  readonly name: string;
  readonly operands: readonly g.TensorData[];
  readonly build: (...operands: g.Tensor[]) => g.Tensor | readonly g.Tensor[];
  /** Whether the result has no derivative at these values. */
  readonly isKink?: boolean;
}

type Build = Case['build'];
type Cases = (values: Values) => readonly Case[];

const on = (operands: readonly g.TensorData[], build: Build, name?: string): Case => ({
  name: name ?? operands.map(({ dtype, shape }) => `${dtype}[${shape}]`).join(', '),
  operands,
  build,
});

const unary =
  (build: (x: g.Tensor) => g.Tensor, make: (values: Values, shape: g.Shape) => g.TensorData): Cases =>
  (values) =>
    [[], [5], [2, 3, 4]].map((shape) => on([make(values, shape)], build));

/** Pairs of shapes that broadcast together. */
const pairs: readonly (readonly [g.Shape, g.Shape])[] = [
  [
    [2, 3],
    [2, 3],
  ],
  [[2, 3], []],
  [[], [4]],
  [[2, 3, 4], [4]],
  [
    [3, 1],
    [1, 4],
  ],
  [
    [2, 1, 4],
    [3, 1],
  ],
  [[1], [2, 3]],
];

const binary =
  (
    build: (a: g.Tensor, b: g.Tensor) => g.Tensor,
    makeA: (values: Values, shape: g.Shape) => g.TensorData,
    makeB = makeA,
  ): Cases =>
  (values) =>
    pairs.map(([a, b]) => on([makeA(values, a), makeB(values, b)], build));

const both =
  (...parts: readonly Cases[]): Cases =>
  (values) =>
    parts.flatMap((part) => part(values));

const floats = (low: number, high: number) => (values: Values, shape: g.Shape) => values.floats(shape, low, high);
const integers = (low: number, high: number) => (values: Values, shape: g.Shape) => values.integers(shape, low, high);
const lattice = (offset: number) => (values: Values, shape: g.Shape) => values.lattice(shape, offset);
const awayFromZero = (values: Values, shape: g.Shape) => values.awayFromZero(shape);
const booleans = (values: Values, shape: g.Shape) => values.booleans(shape);

/** Operands of products, for matrices of 3 rows and 4 columns times 4 rows and 2 columns. */
const products: Cases = (values) => {
  const batches: readonly (readonly [g.Shape, g.Shape])[] = [
    [[], []],
    [[2], []],
    [[2], [2]],
    [[2, 3], []],
    [
      [2, 3],
      [2, 3],
    ],
  ];
  return batches.flatMap(([batchA, batchB]) =>
    [false, true].flatMap((transposeA) =>
      [false, true].map((transposeB) => {
        const a = values.floats([...batchA, ...(transposeA ? [4, 3] : [3, 4])]);
        const b = values.floats([...batchB, ...(transposeB ? [2, 4] : [4, 2])]);
        const name = `[${a.shape}]${transposeA ? 'ᵀ' : ''} · [${b.shape}]${transposeB ? 'ᵀ' : ''}`;
        return on([a, b], (x, y) => g.matmul(x, y, { transposeA, transposeB }), name);
      }),
    ),
  );
};

interface Convolution {
  readonly name: string;
  readonly image: g.Shape;
  readonly kernel: g.Shape;
  readonly stride: number;
  readonly padding: g.Padding;
}

const convolutions: readonly Convolution[] = [
  { name: '3×3 that keeps the size', image: [2, 3, 5, 6], kernel: [4, 3, 3, 3], stride: 1, padding: [1, 1, 1, 1] },
  { name: '1×1', image: [2, 3, 4, 4], kernel: [5, 3, 1, 1], stride: 1, padding: [0, 0, 0, 0] },
  { name: '1×1, padded', image: [1, 2, 3, 4], kernel: [3, 2, 1, 1], stride: 1, padding: [1, 1, 1, 1] },
  { name: '5×5, padded', image: [1, 2, 6, 5], kernel: [2, 2, 5, 5], stride: 1, padding: [2, 2, 2, 2] },
  { name: 'asymmetric padding', image: [2, 2, 4, 5], kernel: [3, 2, 3, 2], stride: 1, padding: [0, 1, 2, 0] },
  { name: 'stride 2, padded below', image: [2, 2, 6, 6], kernel: [3, 2, 3, 3], stride: 2, padding: [0, 0, 1, 1] },
  {
    name: 'stride 2 that skips the last row',
    image: [1, 2, 6, 8],
    kernel: [3, 2, 3, 3],
    stride: 2,
    padding: [0, 0, 0, 0],
  },
  { name: '32 channels', image: [2, 32, 3, 4], kernel: [32, 32, 3, 3], stride: 1, padding: [1, 1, 1, 1] },
  { name: '32 channels, stride 2', image: [2, 32, 4, 4], kernel: [32, 32, 3, 3], stride: 2, padding: [0, 0, 1, 1] },
  { name: 'stride 2, 1×1', image: [2, 2, 5, 5], kernel: [3, 2, 1, 1], stride: 2, padding: [0, 0, 0, 0] },
  { name: 'patches of 4×4', image: [2, 3, 8, 8], kernel: [5, 3, 4, 4], stride: 4, padding: [0, 0, 0, 0] },
  { name: 'stride 3, 2×3, asymmetric', image: [1, 2, 9, 10], kernel: [2, 2, 2, 3], stride: 3, padding: [1, 0, 2, 1] },
  { name: 'not padded', image: [2, 3, 6, 5], kernel: [2, 3, 3, 2], stride: 1, padding: [0, 0, 0, 0] },
  { name: 'to fewer channels', image: [2, 4, 5, 6], kernel: [2, 4, 3, 3], stride: 1, padding: [1, 1, 1, 1] },
  {
    name: 'to fewer channels, asymmetric',
    image: [1, 3, 4, 5],
    kernel: [2, 3, 2, 3],
    stride: 1,
    padding: [1, 2, 0, 1],
  },
  {
    name: 'to fewer channels, wide padding',
    image: [2, 3, 3, 4],
    kernel: [2, 3, 2, 2],
    stride: 1,
    padding: [2, 1, 1, 3],
  },
  { name: 'to fewer channels, stride 2', image: [2, 3, 6, 5], kernel: [2, 3, 3, 3], stride: 2, padding: [1, 1, 1, 1] },
];

const convolvedShape = ({ image, kernel, stride, padding }: Convolution): g.Shape =>
  g.conv2d(g.input('image', image), g.input('kernel', kernel), { stride, padding }).shape;

const poolings: readonly { readonly name: string; readonly image: g.Shape; readonly window: g.PoolingWindow }[] = [
  { name: '2×2 of VGG', image: [2, 3, 4, 6], window: { size: 2, stride: 2, padding: [0, 0, 0, 0] } },
  { name: '2×2 that skips the last row', image: [1, 2, 5, 4], window: { size: 2, stride: 2, padding: [0, 0, 0, 0] } },
  { name: '3×3 of AlexNet, overlapping', image: [2, 2, 7, 9], window: { size: 3, stride: 2, padding: [0, 0, 0, 0] } },
  { name: '3×3, padded', image: [1, 2, 6, 5], window: { size: 3, stride: 2, padding: [1, 1, 1, 1] } },
  { name: '3×3, asymmetric padding', image: [1, 1, 4, 5], window: { size: 3, stride: 1, padding: [0, 2, 1, 0] } },
  { name: 'windows with gaps, padded', image: [1, 2, 7, 6], window: { size: 2, stride: 3, padding: [1, 0, 1, 1] } },
  { name: '1×1', image: [1, 2, 3, 3], window: { size: 1, stride: 2, padding: [0, 0, 0, 0] } },
];

/** Images with several maxima in a window, among them plain areas. */
const equalPixels = float32([1, 2, 4, 4], [...'0000011011021022'].concat([...'1111111122112211']).map(Number));

const axisCases =
  (
    build: (x: g.Tensor, options: { axes?: readonly number[]; keepDims?: boolean }) => g.Tensor,
    make: (values: Values, shape: g.Shape) => g.TensorData,
  ): Cases =>
  (values) => [
    on([make(values, [4])], (x) => build(x, {}), 'a vector'),
    on([make(values, [2, 3, 4])], (x) => build(x, {}), 'all axes'),
    on([make(values, [2, 3, 4])], (x) => build(x, { axes: [-1] }), 'the last axis'),
    on([make(values, [2, 3, 4])], (x) => build(x, { axes: [0, 2] }), 'the first and the last axis'),
    on([make(values, [2, 3, 4])], (x) => build(x, { axes: [1], keepDims: true }), 'the middle axis, kept'),
  ];

const rows =
  (build: (x: g.Tensor) => g.Tensor, make = floats(-2, 2)): Cases =>
  (values) =>
    [[5], [2, 3], [2, 3, 4]].map((shape) => on([make(values, shape)], build));

/** Cases for every operator; the type asks for each of them. */
const table: { readonly [Name in Exclude<g.OperatorName, 'input' | 'parameter'>]: Cases } = {
  constant: (values) =>
    [values.floats([2, 3]), values.integers([4], -9, 9), values.booleans([5]), values.floats([])].map((value) =>
      on([], () => g.constant(value), `${value.dtype}[${value.shape}]`),
    ),
  neg: unary(g.neg, floats(-2, 2)),
  exp: unary(g.exp, floats(-2, 2)),
  log: unary(g.log, floats(0.5, 4)),
  sqrt: unary(g.sqrt, floats(0.5, 4)),
  reciprocal: unary(g.reciprocal, (values, shape) => values.awayFromZero(shape, 0.75, 2)),
  abs: unary(g.abs, awayFromZero),
  sign: unary(g.sign, awayFromZero),
  sin: unary(g.sin, floats(-3, 3)),
  cos: unary(g.cos, floats(-3, 3)),
  tanh: unary(g.tanh, floats(-2, 2)),
  erf: unary(g.erf, floats(-2, 2)),
  sigmoid: unary(g.sigmoid, floats(-4, 4)),
  relu: unary(g.relu, awayFromZero),
  gelu: unary(g.gelu, floats(-3, 3)),
  swish: unary(g.swish, floats(-3, 3)),
  logicalNot: unary(g.logicalNot, booleans),
  stopGradient: unary(g.stopGradient, floats(-2, 2)),
  cast: (values) => [
    on([float32([6], [-1.75, -0.5, 0, 0.5, 1.75, 1e6])], (x) => g.cast(x, 'int32'), 'floats to integers'),
    on([float32([4], [-0.5, 0, 0.25, 2])], (x) => g.cast(x, 'bool'), 'floats to booleans'),
    on([values.integers([2, 3], -2, 3)], (x) => g.cast(x, 'float32'), 'integers to floats'),
    on([values.integers([2, 3], -1, 2)], (x) => g.cast(x, 'bool'), 'integers to booleans'),
    on([values.booleans([2, 3])], (x) => g.cast(x, 'float32'), 'booleans to floats'),
    on([values.booleans([2, 3])], (x) => g.cast(x, 'int32'), 'booleans to integers'),
  ],

  add: both(binary(g.add, floats(-2, 2)), binary(g.add, integers(-9, 9))),
  sub: both(binary(g.sub, floats(-2, 2)), binary(g.sub, integers(-9, 9))),
  mul: both(binary(g.mul, floats(-2, 2)), binary(g.mul, integers(-9, 9))),
  div: both(
    binary(g.div, floats(-2, 2), (values, shape) => values.awayFromZero(shape, 0.75, 2)),
    binary(g.div, integers(-9, 9), integers(1, 5)),
    binary(g.div, integers(-9, 9), integers(-5, 0)),
  ),
  pow: binary(g.pow, floats(0.5, 2), floats(-2, 3)),
  maximum: both(binary(g.maximum, lattice(0), lattice(1 / 16)), binary(g.maximum, integers(-3, 3))),
  minimum: both(binary(g.minimum, lattice(0), lattice(1 / 16)), binary(g.minimum, integers(-3, 3))),
  equal: both(binary(g.equal, lattice(0)), binary(g.equal, integers(-2, 2))),
  less: both(binary(g.less, lattice(0)), binary(g.less, integers(-2, 2))),
  greater: both(binary(g.greater, lattice(0)), binary(g.greater, integers(-2, 2))),
  logicalAnd: binary(g.logicalAnd, booleans),
  select: (values) => [
    on([values.booleans([2, 3]), values.floats([2, 3]), values.floats([2, 3])], g.select),
    on([values.booleans([2, 1]), values.floats([3]), values.floats([])], g.select),
    on([values.booleans([4]), values.floats([3, 1]), values.floats([2, 1, 1])], g.select),
    on([values.booleans([4]), values.integers([4], -9, 9), values.integers([], -9, 9)], g.select),
  ],

  matmul: products,
  conv2d: (values) =>
    convolutions.flatMap(({ name, image, kernel, stride, padding }) => {
      const operands = [values.floats(image), values.floats(kernel)];
      const bias = values.floats(kernel.slice(0, 1));
      return [
        on(operands, (x, k) => g.conv2d(x, k, { stride, padding }), name),
        on([...operands, bias], (x, k, bias) => g.conv2d(x, k, { bias, stride, padding }), `${name}, with a bias`),
      ];
    }),
  conv2dInputGradient: (values) =>
    convolutions.map((convolution) => {
      const { name, image, kernel, stride, padding } = convolution;
      const operands = [values.floats(convolvedShape(convolution)), values.floats(kernel)];
      return on(operands, (y, k) => conv2dInputGradient(y, k, image, { stride, padding }), name);
    }),
  conv2dWeightGradient: (values) =>
    convolutions.map((convolution) => {
      const { name, image, kernel, stride, padding } = convolution;
      const operands = [values.floats(image), values.floats(convolvedShape(convolution))];
      return on(operands, (x, y) => conv2dWeightGradient(x, y, kernel, { stride, padding }), name);
    }),

  maxPool2d: (values) => [
    ...poolings.map(({ name, image, window }) => on([values.distinct(image)], (x) => g.maxPool2d(x, window), name)),
    { ...on([equalPixels], (x) => g.maxPool2d(x, { size: 2 }), 'equal pixels'), isKink: true },
  ],
  maxPool2dGradient: (values) => {
    const gradientCase = (name: string, x: g.TensorData, window: g.PoolingWindow) => {
      const { shape } = g.maxPool2d(g.input('x', x.shape), window);
      return on([x, values.floats(shape)], (x, y) => maxPool2dGradient(x, y, window), name);
    };
    return [
      ...poolings.map(({ name, image, window }) => gradientCase(name, values.distinct(image), window)),
      gradientCase('equal pixels', equalPixels, { size: 2, stride: 2, padding: [0, 0, 0, 0] }),
      gradientCase('equal pixels of overlapping windows', equalPixels, { size: 3, stride: 1, padding: [1, 1, 1, 1] }),
    ];
  },

  reshape: (values) => [
    on([values.floats([2, 6])], (x) => g.reshape(x, [3, -1])),
    on([values.floats([1, 1])], (x) => g.reshape(x, [])),
    on([values.integers([4], -9, 9)], (x) => g.reshape(x, [2, 2])),
    on([values.booleans([4])], (x) => g.reshape(x, [2, 1, 2])),
  ],
  broadcast: (values) => [
    on([values.floats([])], (x) => g.broadcastTo(x, [2, 3])),
    on([values.floats([3])], (x) => g.broadcastTo(x, [2, 3])),
    on([values.floats([2, 1, 3])], (x) => g.broadcastTo(x, [2, 4, 3])),
    on([values.floats([1, 3, 1])], (x) => g.broadcastTo(x, [2, 2, 3, 2])),
    on([values.integers([2, 1], -9, 9)], (x) => g.broadcastTo(x, [2, 3])),
    on([values.booleans([2, 1])], (x) => g.broadcastTo(x, [2, 3])),
  ],
  upsample: (values) => [
    on([values.floats([1, 2, 3, 2])], (x) => g.upsample(x, 2)),
    on([values.floats([2, 1, 2, 3])], (x) => g.upsample(x, 3)),
  ],
  transpose: (values) => [
    on([values.floats([2, 3])], (x) => g.transpose(x, [1, 0])),
    on([values.floats([2, 3, 4])], (x) => g.transpose(x, [2, 0, 1])),
    on([values.floats([2, 3, 4, 5])], (x) => g.transpose(x, [0, 2, 1, 3])),
    on([values.integers([2, 3], -9, 9)], (x) => g.transpose(x, [1, 0])),
    on([values.booleans([2, 3])], (x) => g.transpose(x, [1, 0])),
  ],
  concat: (values) => [
    on([values.floats([2]), values.floats([3])], (...parts) => g.concat(parts, 0)),
    on([values.floats([2, 1, 3]), values.floats([2, 4, 3]), values.floats([2, 2, 3])], (...parts) =>
      g.concat(parts, 1),
    ),
    on([values.floats([2, 3]), values.floats([2, 1])], (...parts) => g.concat(parts, -1)),
    on([values.integers([2], -9, 9), values.integers([1], -9, 9)], (...parts) => g.concat(parts, 0)),
    on([values.booleans([2]), values.booleans([2])], (...parts) => g.concat(parts, 0)),
    on([values.floats([2, 2])], (x) => g.concat([x, g.exp(x), x], 0), 'one operand twice'),
  ],
  slice: (values) => [
    on([values.floats([5])], (x) => g.slice(x, [1], [4])),
    on([values.floats([3, 4, 5])], (x) => g.slice(x, [1, 0, 2], [3, 4, 3])),
    on([values.floats([3, 4])], (x) => g.sliceAxis(x, -1, 0, 2)),
    on([values.integers([5], -9, 9)], (x) => g.slice(x, [2], [5])),
    on([values.booleans([5])], (x) => g.slice(x, [0], [2])),
  ],
  pad: (values) => [
    on([values.floats([3])], (x) => g.pad(x, [1], [2])),
    on([values.floats([2, 3, 2])], (x) => g.pad(x, [0, 1, 2], [1, 0, 0])),
    on([values.floats([1, 2, 3, 4])], (x) => g.pad(x, [0, 0, 1, 1], [0, 0, 0, 2])),
    on([values.integers([2, 2], -9, 9)], (x) => g.pad(x, [1, 0], [0, 1])),
    on([values.booleans([3])], (x) => g.pad(x, [1], [1])),
  ],

  sum: axisCases(g.sum, floats(-2, 2)),
  max: axisCases(g.max, (values, shape) => values.distinct(shape)),
  argmax: both(
    rows(g.argmax, (values, shape) => values.distinct(shape)),
    () => [on([float32([2, 4], [1, 3, 3, 2, 0, 0, 0, 0])], g.argmax, 'the first of equal elements')],
  ),
  cumsum: both(rows(g.cumsum), rows(g.cumsum, integers(-9, 9))),
  softmax: rows(g.softmax),
  logSoftmax: rows(g.logSoftmax),
  crossEntropy: (values) => [
    on([values.floats([5], -2, 2), values.integers([], 0, 5)], g.crossEntropy),
    on([values.floats([3, 5], -2, 2), values.integers([3], 0, 5)], g.crossEntropy),
    on([values.floats([2, 3, 4], -2, 2), values.integers([2, 3], 0, 4)], g.crossEntropy),
  ],
  normalize: rows((x) => g.normalize(x, 1e-5)),
  groupNormalize: (values) =>
    [
      { shape: [2, 6, 2, 3], groups: 3 },
      { shape: [1, 4, 5], groups: 1 },
      { shape: [2, 2, 3, 1], groups: 2 },
    ].map(({ shape, groups }) => {
      const channels = shape.slice(1, 2);
      const operands = [values.floats(shape), values.floats(channels), values.floats(channels)];
      return on(operands, (x, w, b) => g.groupNormalize(x, w, b, groups, 1e-5), `${groups} groups`);
    }),
  sort: (values) => {
    const build = (x: g.Tensor) => {
      const { values, indices } = g.sort(x);
      return [values, indices];
    };
    return [
      ...[[5], [2, 3], [2, 3, 4]].map((shape) => on([values.distinct(shape)], build)),
      on([values.integers([2, 6], -2, 2)], build, 'integers'),
      on([values.distinct([2, 6])], (x) => Object.values(g.sort(x, 3)), 'only the largest elements'),
      { ...on([float32([6], [2, 1, 2, 3, 1, 2])], build, 'equal elements keep their order'), isKink: true },
    ];
  },

  gather: (values) => [
    on([values.floats([5, 3]), values.integers([4], 0, 5)], g.gather),
    on([values.floats([5, 3]), values.integers([], 0, 5)], g.gather),
    on([values.floats([4]), values.integers([2, 3], 0, 4)], g.gather),
    on([values.floats([4, 2, 3]), values.integers([2, 2], 0, 4)], g.gather),
    on([values.floats([4, 2]), int32([5], [1, 1, 3, 1, 3])], g.gather, 'one row several times'),
    on([values.integers([4, 2], -9, 9), values.integers([3], 0, 4)], g.gather),
    on([values.booleans([4]), values.integers([3], 0, 4)], g.gather),
  ],
  scatterAdd: (values) => [
    on([int32([4], [0, 2, 1, 4]), values.floats([4, 3])], (i, x) => g.scatterAdd(i, x, 5)),
    on([int32([5], [2, 2, 0, 2, 0]), values.floats([5, 2])], (i, x) => g.scatterAdd(i, x, 4), 'one row several times'),
  ],
  oneHot: (values) => [
    on([values.integers([], 0, 3)], (x) => g.oneHot(x, 3)),
    on([values.integers([4], 0, 3)], (x) => g.oneHot(x, 3)),
    on([values.integers([2, 3], 0, 5)], (x) => g.oneHot(x, 5)),
  ],
  takeAlong: (values) => [
    on([values.floats([5]), values.integers([3], 0, 5)], g.takeAlong),
    on([values.floats([2, 5]), values.integers([2, 1], 0, 5)], g.takeAlong),
    on([values.floats([2, 3, 4]), values.integers([2, 3, 6], 0, 4)], g.takeAlong),
    on([values.integers([2, 5], -9, 9), values.integers([2, 3], 0, 5)], g.takeAlong),
  ],
  scatterAlong: (values) => [
    on([values.integers([3], 0, 5), values.floats([3])], (i, x) => g.scatterAlong(i, x, 5)),
    on([values.integers([2, 1], 0, 5), values.floats([2, 1])], (i, x) => g.scatterAlong(i, x, 5)),
    on(
      [values.integers([2, 3, 6], 0, 4), values.floats([2, 3, 6])],
      (i, x) => g.scatterAlong(i, x, 4),
      'indices that repeat',
    ),
  ],
  update: (values) => [
    on([values.floats([4, 3]), values.floats([1, 3]), int32([], [2])], g.update),
    on([values.floats([2, 2, 5, 3]), values.floats([2, 2, 1, 3]), int32([], [0])], g.update),
    on([values.integers([3, 2], -9, 9), values.integers([1, 2], -9, 9), int32([], [2])], g.update),
  ],

  loop: (values) => [
    on(
      [values.floats([2, 3])],
      (x) => {
        const { carried, stacked } = g.loop(4, [x, g.fill([], 0)], (iteration, [state, total]) => {
          const next = g.add(g.mul(state!, 0.5), g.cast(iteration, 'float32'));
          return { carried: [next, g.add(total!, g.sum(next))], stacked: [g.max(next, { axes: [1] }), iteration] };
        });
        return [...carried, ...stacked];
      },
      'the iteration, carried and stacked tensors',
    ),
    on(
      [values.floats([2, 2]), values.floats([2, 2])],
      (x, weight) => g.loop(3, [x], (_, [state]) => ({ carried: [g.tanh(g.matmul(state!, g.exp(weight)))] })).carried,
      'a captured tensor',
    ),
    on(
      [values.floats([3]), values.floats([3])],
      (a, b) => g.loop(3, [a, b], (_, [x, y]) => ({ carried: [y!, g.add(x!, y!)], stacked: [x!, x!, a] })).carried,
      'carried tensors that change places',
    ),
    on(
      [values.floats([2, 3])],
      (x) =>
        g.loop(2, [x], (i, [outer]) => {
          const scale = g.add(g.cast(i, 'float32'), 1);
          const inner = g.loop(3, [outer!], (j, [state]) => ({
            carried: [g.add(g.mul(state!, 0.5), g.mul(scale, g.add(outer!, g.cast(g.add(i, j), 'float32'))))],
            stacked: [g.sum(state!)],
          }));
          return { carried: inner.carried, stacked: inner.stacked };
        }).stacked,
      'a loop in a loop',
    ),
    on(
      [values.floats([2])],
      (x) => g.loop(0, [x], (_, [state]) => ({ carried: [g.exp(state!)] })).carried,
      'no iteration',
    ),
    on(
      [values.floats([2, 2])],
      (x) => {
        const isBelow = (total: g.Tensor) => g.less(total, 20);
        const [, ...carried] = g.whileLoop(100, [isBelow(g.fill([], 3)), g.fill([], 3), x], ([, total, state]) => {
          const next = g.mul(total!, 2);
          return [isBelow(next), next, g.add(state!, total!)];
        });
        return carried;
      },
      'iterations while a condition holds',
    ),
    on(
      [values.floats([3])],
      (x) => {
        const never = g.less(g.fill([], 1), 0);
        return g.whileLoop(1, [never, x], ([condition, state]) => [condition!, g.exp(state!)]).slice(1);
      },
      'a condition that does not hold at first',
    ),
    on(
      [values.floats([3])],
      (x) => {
        const always = g.less(g.fill([], 0), 1);
        return g.whileLoop(3, [always, x], ([condition, state]) => [condition!, g.add(state!, 1)]).slice(1);
      },
      'as many iterations as the limit',
    ),
  ],
  upsampleConv2d: (values) => {
    const upsampled = (image: g.Shape, kernel: g.Shape, factor: number, name: string) =>
      on(
        [values.floats(image), values.floats(kernel), values.floats(kernel.slice(0, 1))],
        (x, k, bias) => g.upsampleConv2d(x, k, { factor, bias }),
        name,
      );
    return [
      on(
        [values.floats([2, 3, 4, 5]), values.floats([4, 3, 3, 3])],
        (x, k) => g.upsampleConv2d(x, k, { factor: 2 }),
        'without a bias',
      ),
      upsampled([2, 3, 4, 5], [4, 3, 3, 3], 2, '3×3, twice'),
      upsampled([1, 2, 3, 2], [2, 2, 3, 5], 3, '3×5, three times'),
      upsampled([1, 2, 3, 4], [3, 2, 7, 5], 2, '7×5, twice'),
      upsampled([1, 2, 3, 2], [2, 2, 1, 1], 2, '1×1'),
      upsampled([2, 2, 3, 3], [2, 2, 3, 3], 1, 'once'),
      upsampled([1, 1, 1, 1], [2, 1, 3, 3], 2, 'one pixel'),
      upsampled([2, 32, 3, 2], [32, 32, 3, 3], 2, '32 channels'),
    ];
  },
};

/** Creates a case of a layer, whose parameters become operands. */
function layer(
  operands: readonly g.TensorData[],
  build: (scope: g.ParameterScope, ...operands: g.Tensor[]) => g.Tensor,
  values: Values,
  name: string,
): Case {
  const scope = new g.ParameterScope();
  build(scope, ...operands.map(({ shape, dtype }, i) => g.input(`${i}`, shape, dtype)));
  // The result does not depend on buffers.
  const declared = [...scope.parameters].filter(([name]) => !scope.bufferNames.has(name));
  const parameters = declared.map(([, { shape }]) => values.floats(shape));
  const rebuild = (...tensors: g.Tensor[]) => {
    const given = declared.map(([name], i) => [name, tensors[operands.length + i]!] as const);
    return build(new g.ParameterScope('', new Map(given)), ...tensors.slice(0, operands.length));
  };
  return on([...operands, ...parameters], rebuild, name);
}

/** The layers of layers.ts. */
export const layerCases: readonly Case[] = (() => {
  const values = new Values(1000);
  const x = () => values.floats([2, 3, 4], -2, 2);
  const heads = () => values.floats([2, 2, 3, 4], -2, 2);
  return [
    layer([x()], (scope, x) => layers.linear(scope, x, 5), values, 'linear'),
    layer([x()], (scope, x) => layers.linear(scope, x, 5, { bias: false }), values, 'linear without a bias'),
    layer([values.integers([2, 3], 0, 6)], (scope, i) => layers.embedding(scope, i, 6, 4), values, 'embedding'),
    layer([x()], (scope, x) => layers.layerNorm(scope, x), values, 'layerNorm'),
    layer([x()], (scope, x) => layers.layerNorm(scope, x, { scale: false }), values, 'layerNorm without a scale'),
    layer([x()], (scope, x) => layers.rmsNorm(scope, x), values, 'rmsNorm'),
    layer([values.floats([2, 4, 3, 3], -2, 2)], (scope, x) => layers.groupNorm(scope, x, 2), values, 'groupNorm'),
    layer([values.floats([2, 3, 5, 5])], (scope, x) => layers.conv(scope, x, 4), values, 'conv'),
    layer(
      [values.floats([2, 3, 6, 6])],
      (scope, x) => layers.conv(scope, x, 2, { stride: 2, padding: [0, 0, 1, 1] }),
      values,
      'conv of stride 2, padded below',
    ),
    layer(
      [values.floats([2, 3, 5, 5])],
      (scope, x) => layers.conv(scope, x, 4, { bias: false }),
      values,
      'conv without a bias',
    ),
    layer([values.floats([2, 3, 2, 3], -2, 2)], (scope, x) => layers.batchNorm(scope, x), values, 'batchNorm'),
    on([values.awayFromZero([2, 3])], (x) => layers.leakyRelu(x, 0.2), 'leakyRelu'),
    layer([values.floats([2, 3, 3, 4])], (scope, x) => layers.upsampleConv(scope, x, 2), values, 'upsampleConv'),
    on([x()], (x) => layers.mergeHeads(g.exp(layers.splitHeads(x, 2))), 'splitHeads and mergeHeads'),
    on([heads(), heads(), heads()], (q, k, v) => layers.dotProductAttention(q, k, v), 'dotProductAttention'),
    on(
      [
        heads(),
        heads(),
        heads(),
        { dtype: 'bool', shape: [1, 1, 3, 3], data: Uint8Array.of(1, 0, 0, 1, 1, 0, 1, 1, 1) },
      ],
      layers.dotProductAttention,
      'dotProductAttention with a causal mask',
    ),
    on(
      [heads(), heads(), heads(), { dtype: 'bool', shape: [2, 1, 1, 3], data: Uint8Array.of(1, 1, 0, 0, 1, 0) }],
      layers.dotProductAttention,
      'dotProductAttention with padding',
    ),
    {
      name: 'dotProductAttention to padding only',
      operands: [heads(), heads(), heads(), { dtype: 'bool', shape: [1], data: Uint8Array.of(0) }],
      build: layers.dotProductAttention,
      // Adding −1e9 to all scores rounds them to the same number.
      isKink: true,
    },
    layer([x()], (scope, x) => layers.feedForward(scope, x, 6), values, 'feedForward'),
    layer([x()], (scope, x) => layers.gatedFeedForward(scope, x, 6), values, 'gatedFeedForward'),
    on([values.floats([2, 3, 5], -2, 2), values.integers([2, 3], 0, 5)], g.crossEntropy, 'crossEntropy'),
    on([x(), x()], layers.meanSquaredError, 'meanSquaredError'),
    on([x()], (x) => g.mean(x, { axes: [0, 2] }), 'mean'),
  ];
})();

export const operatorCases: ReadonlyMap<string, readonly Case[]> = new Map(
  Object.entries(table).map(([name, make], seed) => [name, make(new Values(seed))]),
);

/** Builds the graph of a case, with its operands as inputs `x0`, `x1`, … and its results as outputs `y0`, `y1`, …. */
export function caseGraph({ operands, build }: Case) {
  const inputs = operands.map(({ shape, dtype }, i) => g.input(`x${i}`, shape, dtype));
  const result = build(...inputs);
  const results = Array.isArray(result) ? (result as g.Tensor[]) : [result as g.Tensor];
  const named = (prefix: string, tensors: readonly g.Tensor[]) =>
    Object.fromEntries(tensors.map((tensor, i) => [`${prefix}${i}`, tensor]));
  const graph: g.Graph = { inputs: named('x', inputs), outputs: named('y', results) };
  const feeds: g.TensorValues = Object.fromEntries(operands.map((value, i) => [`x${i}`, value]));
  return { graph, feeds, inputs, results };
}

/** Checks whether a case can be differentiated: it has a float result and a float operand. */
export function isDifferentiable(one: Case): boolean {
  if (one.isKink) return false;
  const { results } = caseGraph(one);
  return results[0]!.dtype === 'float32' && one.operands.some(({ dtype }) => dtype === 'float32');
}

/**
 * Builds a case's gradients: those of Σ y0 · weights by every float operand, as outputs `d0`, `d1`, … with the operands' indices. With
 * random weights they are a random combination of all rows of the Jacobian matrix.
 */
export function gradientGraph(one: Case) {
  const { feeds, inputs, results, graph } = caseGraph(one);
  const weights = g.input('weights', results[0]!.shape);
  const by = inputs.flatMap((tensor, i) => (tensor.dtype === 'float32' ? [i] : []));
  const gradients = grad(
    g.sum(g.mul(results[0]!, weights)),
    by.map((i) => inputs[i]!),
  );
  const outputs = Object.fromEntries(by.map((operand, i) => [`d${operand}`, gradients[i]!]));
  return {
    graph: { inputs: { ...graph.inputs, weights }, outputs },
    feeds: { ...feeds, weights: new Values(7).floats(weights.shape) },
    by,
  };
}
