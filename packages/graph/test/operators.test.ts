import * as g from '@dalle-mini/graph';
import * as initializers from '@dalle-mini/graph/initializers';
import * as layers from '@dalle-mini/graph/layers';
import { operatorCases } from '@dalle-mini/testing/graph-cases';
import { float32, int32 } from '@dalle-mini/testing/values';
import { describe, expect, test } from 'vitest';
import { conv2dInputGradient, conv2dWeightGradient, loopBody, maxPool2dGradient } from '../src/operators.js';
import { broadcastShapes } from '../src/shape.js';

const f = (...shape: number[]) => g.input('f', shape);
const i = (...shape: number[]) => g.input('i', shape, 'int32');
const b = (...shape: number[]) => g.input('b', shape, 'bool');

const unary = {
  neg: g.neg,
  exp: g.exp,
  log: g.log,
  sqrt: g.sqrt,
  reciprocal: g.reciprocal,
  abs: g.abs,
  sign: g.sign,
  sin: g.sin,
  cos: g.cos,
  tanh: g.tanh,
  erf: g.erf,
  sigmoid: g.sigmoid,
  relu: g.relu,
  gelu: g.gelu,
  swish: g.swish,
};
const binary = {
  add: g.add,
  sub: g.sub,
  mul: g.mul,
  div: g.div,
  pow: g.pow,
  maximum: g.maximum,
  minimum: g.minimum,
  equal: g.equal,
  less: g.less,
  greater: g.greater,
};
const entries = <Name extends g.OperatorName, Value>(table: Record<Name, Value>) =>
  Object.entries(table) as [Name, Value][];

/** Invalid calls by operator: the call, and its error without the layer and the full stop. */
const mistakes: readonly (readonly [operator: g.OperatorName, build: () => unknown, message: string])[] = [
  ['input', () => g.input('x', [2, -1]), 'input(): a shape must consist of non-negative integers, not [2, -1]'],
  [
    'parameter',
    () => new g.ParameterScope().parameter('w', [1.5], initializers.ones),
    'parameter(): a shape must consist of non-negative integers, not [1.5]',
  ],
  [
    'constant',
    () => g.constant(float32([2, 3], [1, 2])),
    'constant(): the data must have 6 elements for shape [2, 3], not 2',
  ],
  ['constant', () => g.mul(i(3), 0.5), 'constant(): the value must be a 32-bit integer, not 0.5'],
  ...entries(unary).map(
    ([name, apply]) => [name, () => apply(i(2, 3)), `${name}(int32[2, 3]): the operand must be float32`] as const,
  ),
  ['logicalNot', () => g.logicalNot(f(2)), 'logicalNot(float32[2]): the operand must be bool'],
  ...entries(binary).flatMap(([name, apply]): (readonly [g.OperatorName, () => unknown, string])[] => [
    [name, () => apply(f(2, 3), f(2)), `${name}(float32[2, 3], float32[2]): the shapes cannot be broadcast together`],
    [name, () => apply(f(2), i(2)), `${name}(float32[2], int32[2]): the operands must have the same element type`],
    [name, () => apply(b(2), b(2)), `${name}(bool[2], bool[2]): the operands must be numbers`],
  ]),
  ['logicalAnd', () => g.logicalAnd(f(2), f(2)), 'logicalAnd(float32[2], float32[2]): the operands must be bool'],
  ['select', () => g.select(f(2), 1, 2), 'select(float32[2], float32[], float32[]): the condition must be bool'],
  [
    'select',
    () => g.select(b(2), f(2), i(2)),
    'select(bool[2], float32[2], int32[2]): a and b must have the same element type',
  ],
  [
    'select',
    () => g.select(b(2), f(3), f(1)),
    'select(bool[2], float32[3], float32[1]): the shapes cannot be broadcast together',
  ],

  ['matmul', () => g.matmul(i(2, 2), f(2, 2)), 'matmul(int32[2, 2], float32[2, 2]): the operands must be float32'],
  [
    'matmul',
    () => g.matmul(f(2), f(2, 2)),
    'matmul(float32[2], float32[2, 2]): each operand must have at least two axes',
  ],
  ['matmul', () => g.matmul(f(2, 3), f(4, 5)), 'matmul(float32[2, 3], float32[4, 5]): the inner sizes 3 and 4 differ'],
  [
    'matmul',
    () => g.matmul(f(2, 3), f(3, 5), { transposeB: true }),
    'matmul(float32[2, 3], float32[3, 5]): the inner sizes 3 and 5 differ (transposeA false, transposeB true)',
  ],
  [
    'matmul',
    () => g.matmul(f(2, 3, 4), f(5, 4, 3)),
    'matmul(float32[2, 3, 4], float32[5, 4, 3]): the batch axes differ',
  ],
  [
    'conv2d',
    () => g.conv2d(f(3, 8, 8), f(4, 3, 3, 3)),
    'conv2d(float32[3, 8, 8], float32[4, 3, 3, 3]): the image must be [batch, channels, height, width] and the kernel [out, in, rows, columns]',
  ],
  [
    'conv2d',
    () => g.conv2d(f(1, 2, 8, 8), f(4, 3, 3, 3)),
    'conv2d(float32[1, 2, 8, 8], float32[4, 3, 3, 3]): the image must have 3 channels as the kernel does, not 2',
  ],
  [
    'conv2d',
    () => g.conv2d(f(1, 3, 2, 2), f(4, 3, 3, 3)),
    'conv2d(float32[1, 3, 2, 2], float32[4, 3, 3, 3]): the kernel is larger than the padded image',
  ],
  [
    'conv2d',
    () => g.conv2d(f(1, 3, 8, 8), f(4, 3, 3, 3), { stride: 0 }),
    'conv2d(float32[1, 3, 8, 8], float32[4, 3, 3, 3]): the stride must be a positive integer, not 0',
  ],
  [
    'conv2d',
    () => g.conv2d(f(1, 3, 8, 8), f(4, 3, 3, 3), { padding: [0, 0, -1, 0] }),
    'conv2d(float32[1, 3, 8, 8], float32[4, 3, 3, 3]): the padding must consist of non-negative integers, not [0, 0, -1, 0]',
  ],
  [
    'conv2d',
    () => g.conv2d(i(1, 3, 8, 8), f(4, 3, 3, 3)),
    'conv2d(int32[1, 3, 8, 8], float32[4, 3, 3, 3]): the operands must be float32',
  ],
  [
    'conv2d',
    () => g.conv2d(f(1, 3, 8, 8), f(4, 3, 3, 3), { bias: f(3) }),
    'conv2d(float32[1, 3, 8, 8], float32[4, 3, 3, 3], float32[3]): the bias must be [4]',
  ],
  [
    'upsampleConv2d',
    () => g.upsampleConv2d(f(1, 3, 8, 8), f(4, 3, 2, 3), { factor: 2 }),
    'upsampleConv2d(float32[1, 3, 8, 8], float32[4, 3, 2, 3]): the kernel must be [out, in, rows, columns] of odd sizes',
  ],
  [
    'conv2dInputGradient',
    () => conv2dInputGradient(f(1, 4, 5, 6), f(4, 3, 3, 3), [1, 3, 8, 8], { stride: 1, padding: [0, 0, 0, 0] }),
    'conv2dInputGradient(float32[1, 4, 5, 6], float32[4, 3, 3, 3]): images [1, 3, 8, 8] and kernels [4, 3, 3, 3] give [1, 4, 6, 6], not [1, 4, 5, 6]',
  ],
  [
    'conv2dWeightGradient',
    () => conv2dWeightGradient(f(1, 3, 8, 8), f(1, 4, 5, 6), [4, 3, 3, 3], { stride: 1, padding: [0, 0, 0, 0] }),
    'conv2dWeightGradient(float32[1, 3, 8, 8], float32[1, 4, 5, 6]): images [1, 3, 8, 8] and kernels [4, 3, 3, 3] give [1, 4, 6, 6], not [1, 4, 5, 6]',
  ],
  [
    'maxPool2d',
    () => g.maxPool2d(f(3, 8, 8), { size: 2 }),
    'maxPool2d(float32[3, 8, 8]): the images must be [batch, channels, height, width]',
  ],
  [
    'maxPool2d',
    () => g.maxPool2d(i(1, 3, 8, 8), { size: 2 }),
    'maxPool2d(int32[1, 3, 8, 8]): the operand must be float32',
  ],
  [
    'maxPool2d',
    () => g.maxPool2d(f(1, 3, 8, 8), { size: 0 }),
    'maxPool2d(float32[1, 3, 8, 8]): the size must be a positive integer, not 0',
  ],
  [
    'maxPool2d',
    () => g.maxPool2d(f(1, 3, 8, 8), { size: 2, stride: 0.5 }),
    'maxPool2d(float32[1, 3, 8, 8]): the stride must be a positive integer, not 0.5',
  ],
  [
    'maxPool2d',
    () => g.maxPool2d(f(1, 3, 8, 8), { size: 2, padding: 2 }),
    'maxPool2d(float32[1, 3, 8, 8]): the padding must consist of integers from 0 to 1, not [2, 2, 2, 2]',
  ],
  [
    'maxPool2d',
    () => g.maxPool2d(f(1, 3, 2, 8), { size: 3 }),
    'maxPool2d(float32[1, 3, 2, 8]): windows of size 3 are larger than the padded images',
  ],
  [
    'maxPool2dGradient',
    () => maxPool2dGradient(f(1, 3, 8, 8), f(1, 3, 3, 4), { size: 2, stride: 2, padding: [0, 0, 0, 0] }),
    'maxPool2dGradient(float32[1, 3, 8, 8], float32[1, 3, 3, 4]): the gradient must be [1, 3, 4, 4]',
  ],

  ['reshape', () => g.reshape(f(2, 3), [4, 2]), 'reshape(float32[2, 3]): 6 elements do not fit into shape [4, 2]'],
  ['reshape', () => g.reshape(f(2, 3), [4, -1]), 'reshape(float32[2, 3]): 6 elements do not fit into shape [4, -1]'],
  [
    'upsample',
    () => g.upsample(f(2, 3), 2),
    'upsample(float32[2, 3]): the images must be float32[batch, channels, height, width]',
  ],
  [
    'upsample',
    () => g.upsample(f(1, 2, 3, 4), 0.5),
    'upsample(float32[1, 2, 3, 4]): the factor must be a whole number of at least 1, not 0.5',
  ],
  [
    'broadcast',
    () => g.broadcastTo(f(2, 3), [2, 4]),
    'broadcast(float32[2, 3]): the operand cannot be broadcast to [2, 4]',
  ],
  ['broadcast', () => g.broadcastTo(f(2, 3), [3]), 'broadcast(float32[2, 3]): the operand cannot be broadcast to [3]'],
  [
    'transpose',
    () => g.transpose(f(2, 3), [0, 0]),
    'transpose(float32[2, 3]): [0, 0] is not a permutation of the axes',
  ],
  [
    'sort',
    () => g.sort(f(2, 3), 4).values,
    'sort(float32[2, 3]): count must be a whole number from 1 to the size of the last axis, not 4',
  ],
  ['transpose', () => g.transpose(f(2, 3), [0]), 'transpose(float32[2, 3]): [0] is not a permutation of the axes'],
  [
    'concat',
    () => g.concat([f(2, 3), f(3, 3)], 1),
    'concat(float32[2, 3], float32[3, 3]): the types must be equal, and the sizes on every axis except 1',
  ],
  [
    'concat',
    () => g.concat([f(2), i(2)], 0),
    'concat(float32[2], int32[2]): the types must be equal, and the sizes on every axis except 0',
  ],
  ['concat', () => g.concat([f(2), f(2)], 1), 'concat(float32[2]): the operand has no axis 1'],
  ['concat', () => g.concat([], 0), 'concat(): the list must contain at least one tensor'],
  ['slice', () => g.slice(f(4), [1], [5]), 'slice(float32[4]): [1] to [5] is not a block of the operand'],
  ['slice', () => g.slice(f(4), [3], [2]), 'slice(float32[4]): [3] to [2] is not a block of the operand'],
  ['slice', () => g.slice(f(4), [0.5], [1.5]), 'slice(float32[4]): [0.5] to [1.5] is not a block of the operand'],
  ['slice', () => g.slice(f(4, 4), [1], [2]), 'slice(float32[4, 4]): [1] to [2] is not a block of the operand'],
  ['slice', () => g.sliceAxis(f(4), 1, 0, 1), 'slice(float32[4]): the operand has no axis 1'],
  [
    'slice',
    () => g.split(f(5, 2), 2, 0),
    'slice(float32[5, 2]): the size of axis 0 must be a multiple of 2, to split it into equal parts',
  ],
  ['pad', () => g.pad(f(4), [-1], [0]), 'pad(float32[4]): [-1] and [0] must have one non-negative integer per axis'],
  [
    'pad',
    () => g.pad(f(4, 4), [1], [1]),
    'pad(float32[4, 4]): [1] and [1] must have one non-negative integer per axis',
  ],

  ['sum', () => g.sum(i(4)), 'sum(int32[4]): the operand must be float32'],
  ['sum', () => g.sum(f(4), { axes: [1] }), 'sum(float32[4]): the operand has no axis 1'],
  ['sum', () => g.sum(f(4, 2), { axes: [1, -1] }), 'sum(float32[4, 2]): the axes must be different, not [1, 1]'],
  ['max', () => g.max(b(4)), 'max(bool[4]): the operand must be float32'],
  ['max', () => g.max(f(4), { axes: [-2] }), 'max(float32[4]): the operand has no axis -2'],
  ['argmax', () => g.argmax(f()), 'argmax(float32[]): the operand must have at least one axis'],
  ['argmax', () => g.argmax(b(2)), 'argmax(bool[2]): the operand must not be bool'],
  ['cumsum', () => g.cumsum(f()), 'cumsum(float32[]): the operand must have at least one axis'],
  ['cumsum', () => g.cumsum(b(2)), 'cumsum(bool[2]): the operand must not be bool'],
  ['softmax', () => g.softmax(f()), 'softmax(float32[]): the operand must have at least one axis'],
  ['softmax', () => g.softmax(i(2)), 'softmax(int32[2]): the operand must be float32'],
  ['logSoftmax', () => g.logSoftmax(f()), 'logSoftmax(float32[]): the operand must have at least one axis'],
  ['logSoftmax', () => g.logSoftmax(i(2)), 'logSoftmax(int32[2]): the operand must be float32'],
  [
    'crossEntropy',
    () => g.crossEntropy(f(2, 3), i(3)),
    'crossEntropy(float32[2, 3], int32[3]): the labels must be int32, with the axes of the logits except the last',
  ],
  [
    'crossEntropy',
    () => g.crossEntropy(f(2, 3), f(2)),
    'crossEntropy(float32[2, 3], float32[2]): the labels must be int32, with the axes of the logits except the last',
  ],
  ['normalize', () => g.normalize(f(), 1e-5), 'normalize(float32[]): the operand must have at least one axis'],
  [
    'groupNormalize',
    () => g.groupNormalize(f(1, 6, 2), f(6), f(6), 4, 1e-5),
    'groupNormalize(float32[1, 6, 2], float32[6], float32[6]): the number of channels must be a multiple of the 4 groups',
  ],
  [
    'groupNormalize',
    () => g.groupNormalize(f(1, 6, 2), f(6), f(3), 2, 1e-5),
    'groupNormalize(float32[1, 6, 2], float32[6], float32[3]): the weight and the bias must have the shape [6]',
  ],
  [
    'groupNormalize',
    () => g.groupNormalize(i(1, 6, 2), f(6), f(6), 2, 1e-5),
    'groupNormalize(int32[1, 6, 2], float32[6], float32[6]): the operands must be float32',
  ],
  ['normalize', () => g.normalize(i(2), 1e-5), 'normalize(int32[2]): the operand must be float32'],
  ['sort', () => g.sort(f()), 'sort(float32[]): the operand must have at least one axis'],
  ['sort', () => g.sort(b(3)), 'sort(bool[3]): the operand must not be bool'],

  ['gather', () => g.gather(f(4, 2), f(3)), 'gather(float32[4, 2], float32[3]): the indices must be int32'],
  ['gather', () => g.gather(f(), i(3)), 'gather(float32[]): the operand must have at least one axis'],
  [
    'scatterAdd',
    () => g.scatterAdd(f(3), f(3, 2), 5),
    'scatterAdd(float32[3], float32[3, 2]): the indices must be int32',
  ],
  ['scatterAdd', () => g.scatterAdd(i(3), i(3, 2), 5), 'scatterAdd(int32[3, 2]): the operand must be float32'],
  [
    'scatterAdd',
    () => g.scatterAdd(i(3), f(4, 2), 5),
    'scatterAdd(int32[3], float32[4, 2]): the indices must be [n] and the updates [n, width]',
  ],
  ['oneHot', () => g.oneHot(f(3), 4), 'oneHot(float32[3]): the indices must be int32'],
  ['oneHot', () => g.oneHot(i(3), -4), 'oneHot(int32[3]): a shape must consist of non-negative integers, not [3, -4]'],
  [
    'takeAlong',
    () => g.takeAlong(f(2, 3), i(3, 1)),
    'takeAlong(float32[2, 3], int32[3, 1]): the indices must be int32, with the axes of the operand except the last',
  ],
  ['takeAlong', () => g.takeAlong(f(), i()), 'takeAlong(float32[]): the operand must have at least one axis'],
  [
    'scatterAlong',
    () => g.scatterAlong(i(2), f(2, 3), 4),
    'scatterAlong(float32[2, 3], int32[2]): the indices must be int32, with the axes of the operand except the last',
  ],
  ['scatterAlong', () => g.scatterAlong(i(2), i(2), 4), 'scatterAlong(int32[2]): the operand must be float32'],
  [
    'update',
    () => g.update(f(2, 4, 3), f(2, 2, 3), i()),
    'update(float32[2, 4, 3], float32[2, 2, 3], int32[]): the block must be float32[2, 1, 3]',
  ],
  [
    'update',
    () => g.update(f(4, 3), i(1, 3), i()),
    'update(float32[4, 3], int32[1, 3], int32[]): the block must be float32[1, 3]',
  ],
  [
    'update',
    () => g.update(f(4, 3), f(1, 3), i(1)),
    'update(float32[4, 3], float32[1, 3], int32[1]): the position must be an int32 scalar',
  ],
  [
    'update',
    () => g.update(f(4), f(1), i()),
    'update(float32[4], float32[1], int32[]): the first operand must have at least two axes',
  ],

  [
    'loop',
    () => g.loop(-1, [f(2)], (_, state) => ({ carried: state })),
    'loop(float32[2]): count must be a whole number of at least 0, not -1',
  ],
  [
    'loop',
    () => g.loop(3, [f(2)], () => ({ carried: [] })),
    'loop(float32[2]): the body must return 1 carried tensors, not 0',
  ],
  [
    'loop',
    () => g.loop(3, [f(2)], (_, [state]) => ({ carried: [g.sum(state!)] })),
    'loop(float32[2], float32[]): carried tensor 0 must keep its type and shape',
  ],
];

/** Operators that accept any operand. */
const total = ['stopGradient', 'cast'];

describe('an invalid operand is refused with the operator, the shapes and the layer', () => {
  test('for every operator that can fail', () => {
    const named = new Set([...mistakes.map(([name]) => name), ...total]);
    expect([...named].sort()).toEqual([...operatorCases.keys(), 'input', 'parameter'].sort());
  });

  test.each(mistakes)('%s %#', (_, build, message) => {
    expect(build).toThrow(new g.GraphError(`${message}.`));
    const located = message.replace('): ', ') in decoder.block.3: ');
    expect(() => g.inLayer('decoder.block.3', build)).toThrow(new g.GraphError(`${located}.`));
  });
});

describe('shapes', () => {
  test.each<[g.Shape, g.Shape, g.Shape | undefined]>([
    [[], [], []],
    [[2, 3], [], [2, 3]],
    [[3], [2, 1], [2, 3]],
    [
      [4, 1, 3],
      [2, 1],
      [4, 2, 3],
    ],
    [[0], [1], [0]],
    [[2], [3], undefined],
    [
      [2, 1],
      [3, 2, 2],
      [3, 2, 2],
    ],
  ])('[%s] and [%s] broadcast to [%s]', (a, b, expected) => {
    expect(broadcastShapes(a, b)).toEqual(expected);
    expect(broadcastShapes(b, a)).toEqual(expected);
  });

  test('one size of a reshape may be -1', () => {
    expect(g.reshape(f(2, 6), [3, -1]).shape).toEqual([3, 4]);
    expect(g.reshape(f(2, 6), [-1]).shape).toEqual([12]);
  });

  test('consecutive reshapes become one, and a transpose that moves no element becomes a reshape', () => {
    const x = f(2, 1, 6);
    const reshaped = g.reshape(g.reshape(x, [12]), [3, 4]);
    expect(reshaped.operation).toMatchObject({ name: 'reshape', inputs: [x] });
    expect(g.reshape(reshaped, [2, 1, 6])).toBe(x);
    expect(g.transpose(x, [1, 0, 2]).operation.name).toBe('reshape');
    expect(g.transpose(x, [1, 0, 2]).shape).toEqual([1, 2, 6]);
    expect(g.transpose(x, [2, 1, 0]).operation.name).toBe('transpose');
  });

  test('negative axes count from the end', () => {
    expect(g.sum(f(2, 3, 4), { axes: [-1] }).shape).toEqual([2, 3]);
    expect(g.sum(f(2, 3, 4), { axes: [-2], keepDims: true }).shape).toEqual([2, 1, 4]);
    expect(g.concat([f(2, 3), f(2, 4)], -1).shape).toEqual([2, 7]);
    expect(g.split(f(2, 6), 3, -1).map(({ shape }) => shape)).toEqual([
      [2, 2],
      [2, 2],
      [2, 2],
    ]);
  });

  test('a matrix product has the batch axes of its first operand', () => {
    expect(g.matmul(f(5, 2, 3), f(3, 4)).shape).toEqual([5, 2, 4]);
    expect(g.matmul(f(5, 3, 2), f(5, 4, 3), { transposeA: true, transposeB: true }).shape).toEqual([5, 2, 4]);
  });

  test('the size of a convolution follows from stride and padding', () => {
    expect(g.conv2d(f(1, 3, 8, 9), f(4, 3, 3, 3)).shape).toEqual([1, 4, 6, 7]);
    expect(g.conv2d(f(1, 3, 8, 9), f(4, 3, 3, 3), { stride: 2, padding: 1 }).shape).toEqual([1, 4, 4, 5]);
    expect(g.conv2d(f(1, 3, 8, 9), f(4, 3, 3, 3), { stride: 2, padding: [0, 0, 1, 1] }).shape).toEqual([1, 4, 4, 4]);
  });

  test('a loop stacks along a new first axis', () => {
    const { carried, stacked } = g.loop(5, [f(2)], (_, [state]) => ({ carried: [state!], stacked: [g.sum(state!)] }));
    expect(carried.map(({ shape }) => shape)).toEqual([[2]]);
    expect(stacked.map(({ shape }) => shape)).toEqual([[5]]);
  });
});

describe('an operator that changes nothing', () => {
  const x = f(2, 3);
  test.each<[string, () => g.Tensor]>([
    ['reshape', () => g.reshape(x, [2, -1])],
    ['broadcastTo', () => g.broadcastTo(x, [2, 3])],
    ['transpose', () => g.transpose(x, [0, 1])],
    ['slice', () => g.slice(x, [0, 0], [2, 3])],
    ['pad', () => g.pad(x, [0, 0], [0, 0])],
    ['cast', () => g.cast(x, 'float32')],
    ['concat', () => g.concat([x], 0)],
    ['sum over no axes', () => g.sum(x, { axes: [] })],
  ])('is left out: %s', (_, build) => {
    expect(build()).toBe(x);
  });
});

test('a number is a constant of the other operand’s type', () => {
  expect(g.add(i(3), 2).operation.inputs[1]!.dtype).toBe('int32');
  expect(g.sub(1, f(3)).operation.inputs[0]!.dtype).toBe('float32');
});

test('a printed graph has one operation per line, with types, attributes and layers', () => {
  const x = g.input('x', [2, 3]);
  const scope = new g.ParameterScope().in('head');
  const y = layers.linear(scope, x, 4);
  const { carried } = g.loop(3, [y], (_, [state]) => ({ carried: [g.tanh(state!)] }));
  expect(g.printGraph({ inputs: { x }, outputs: { y, z: carried[0]! } })).toBe(
    [
      '%0: float32[2, 3] = input() name="x"',
      '%1: float32[4, 3] = parameter() name="head.weight"  # head',
      '%2: float32[2, 4] = matmul(%0, %1) transposeA=false transposeB=true  # head',
      '%3: float32[4] = parameter() name="head.bias"  # head',
      '%4: float32[2, 4] = add(%2, %3)  # head',
      '%5: float32[2, 4] = loop(%4) count=3',
      '  %6: float32[2, 4] = input() name="carried.0"',
      '  %7: float32[2, 4] = tanh(%6)',
      'return y=%4, z=%5',
      '',
    ].join('\n'),
  );
});

test('long chains do not overflow the stack', () => {
  let x: g.Tensor = f();
  for (let n = 0; n < 50_000; n++) x = g.neg(x);
  expect(g.topologicalOrder([x])).toHaveLength(50_001);
});

test('range, scalar and fill create constants', () => {
  expect(g.range(4).operation.attributes).toEqual({ value: int32([4], [0, 1, 2, 3]) });
  expect(g.scalar(1, 'bool').operation.attributes).toEqual({
    value: { dtype: 'bool', shape: [], data: Uint8Array.of(1) },
  });
  expect(g.fill([2, 3], 5).shape).toEqual([2, 3]);
});

test("a loop's body has the operations that depend on the iteration or a carried tensor; the others run once, outside", () => {
  const outside = g.exp(g.input('outside', [2]));
  const { carried } = g.loop(3, [g.fill([2], 0)], (_, [state]) => ({
    carried: [g.tanh(g.add(state!, g.sin(outside)))],
    stacked: [state!],
  }));
  const { operation } = carried[0]!;
  if (!g.isOperation(operation, 'loop')) throw new Error(`a loop gives ${operation.name}`);
  const { arguments_, operations, results } = loopBody(operation);
  expect(operations.map(({ name }) => name)).toEqual(['add', 'tanh']);
  expect(arguments_.map(({ dtype, shape }) => [dtype, shape])).toEqual([
    ['int32', []],
    ['float32', [2]],
  ]);
  expect(results[0]!.operation).toBe(operations[1]);
  expect(results[1]).toBe(arguments_[1]);
});
