import { GraphError } from '../graph-error.js';
import { describe, inLayer, operation } from '../operation.js';
import {
  add,
  broadcastTo,
  cast,
  constant,
  conv2d,
  conv2dInputGradient,
  conv2dWeightGradient,
  cos,
  cumsum,
  div,
  equal,
  erf,
  exp,
  fill,
  gather,
  less,
  log,
  logicalAnd,
  logicalNot,
  matmul,
  maxPool2dGradient,
  mean,
  mul,
  neg,
  oneHot,
  pad,
  pow,
  reshape,
  scalar,
  scatterAdd,
  scatterAlong,
  select,
  sigmoid,
  sign,
  sin,
  slice,
  sliceAxis,
  softmax,
  square,
  sub,
  sum,
  takeAlong,
  transpose,
} from '../operators.js';
import { broadcastShapes, sameShape, sizeOf } from '../shape.js';
import type { Operation, OperatorName, Shape, Tensor } from '../tensor.js';
import { topologicalOrder } from '../traversal.js';

/**
 * A gradient rule of an operation y = f(x₁, …): computes the gradients by x₁, … from the gradient of the loss by y. A gradient has the
 * shape of its operand, or a shape that the operand broadcasts to; `grad` then sums it to the operand's shape. `undefined` means that
 * an operand, such as an index, has no gradient.
 */
type Rule<Name extends OperatorName> = (context: {
  /** The gradient by the first output. */
  g: Tensor;
  /** The operands. */
  x: readonly Tensor[];
  /** The outputs. */
  y: readonly Tensor[];
  attributes: Operation<Name>['attributes'];
}) => readonly (Tensor | undefined)[];

const inverse = (permutation: readonly number[]) => permutation.map((_, i) => permutation.indexOf(i));
const onlyWhere = (condition: Tensor, g: Tensor) => mul(g, cast(condition, 'float32'));
const swapLastAxes = (x: Tensor) => {
  const rank = x.shape.length;
  return transpose(x, [...Array(rank - 2).keys(), rank - 1, rank - 2]);
};

/** Sums a gradient over the broadcast axes, to the operand's shape. */
function sumTo(g: Tensor, shape: Shape): Tensor {
  if (sameShape(g.shape, shape)) return g;
  const added = g.shape.length - shape.length;
  const axes = g.shape.flatMap((size, axis) =>
    axis < added || (shape[axis - added] === 1 && size !== 1) ? [axis] : [],
  );
  return reshape(sum(g, { axes, keepDims: true }), shape);
}

/**
 * Returns the matrix that turns the taps of a kernel `[rows, columns]` into those of the wider kernel that a pixel repeated `factor`
 * times along rows and columns spreads with: `[rows · columns, (rows + factor − 1) · (columns + factor − 1)]`, of zeros and ones.
 */
function spreadingTaps(rows: number, columns: number, factor: number): Tensor {
  const [height, width] = [rows + factor - 1, columns + factor - 1];
  const data = new Float32Array(rows * columns * height * width);
  for (let tap = 0; tap < rows * columns; tap++) {
    const [top, left] = [rows - 1 - Math.floor(tap / columns), columns - 1 - (tap % columns)];
    for (let down = 0; down < factor; down++) {
      const start = (tap * height + top + down) * width + left;
      data.fill(1, start, start + factor);
    }
  }
  return constant({ dtype: 'float32', shape: [rows * columns, height * width], data });
}

/** Restores the axes that a reduction dropped, with size 1. */
function restoreAxes(g: Tensor, x: Tensor, axes: readonly number[]): Tensor {
  return reshape(
    g,
    x.shape.map((size, axis) => (axes.includes(axis) ? 1 : size)),
  );
}

/** The rules of reverse-mode differentiation, one per operator. Operators without a rule have no gradient or no float32 output. */
export const gradientRules: { readonly [Name in OperatorName]?: Rule<Name> } = {
  neg: ({ g }) => [neg(g)],
  exp: ({ g, y }) => [mul(g, y[0]!)],
  log: ({ g, x }) => [div(g, x[0]!)],
  sqrt: ({ g, y }) => [div(mul(g, 0.5), y[0]!)],
  reciprocal: ({ g, y }) => [neg(mul(g, square(y[0]!)))],
  abs: ({ g, x }) => [mul(g, sign(x[0]!))],
  sign: ({ g }) => [mul(g, 0)],
  sin: ({ g, x }) => [mul(g, cos(x[0]!))],
  cos: ({ g, x }) => [neg(mul(g, sin(x[0]!)))],
  tanh: ({ g, y }) => [mul(g, sub(1, square(y[0]!)))],
  erf: ({ g, x }) => [mul(g, mul(exp(neg(square(x[0]!))), 2 / Math.sqrt(Math.PI)))],
  sigmoid: ({ g, y }) => [mul(g, mul(y[0]!, sub(1, y[0]!)))],
  relu: ({ g, y }) => [onlyWhere(less(0, y[0]!), g)],
  gelu: ({ g, x }) => {
    const cumulative = add(mul(erf(mul(x[0]!, Math.SQRT1_2)), 0.5), 0.5);
    const density = mul(exp(mul(square(x[0]!), -0.5)), 1 / Math.sqrt(2 * Math.PI));
    return [mul(g, add(cumulative, mul(x[0]!, density)))];
  },
  // σ + y · (1 − σ), for y = x · σ.
  swish: ({ g, x, y }) => {
    const gate = sigmoid(x[0]!);
    return [mul(g, add(gate, mul(y[0]!, sub(1, gate))))];
  },
  stopGradient: () => [undefined],
  // One of its two types is not float32.
  cast: () => [undefined],

  add: ({ g }) => [g, g],
  sub: ({ g }) => [g, neg(g)],
  mul: ({ g, x: [a, b] }) => [mul(g, b!), mul(g, a!)],
  div: ({ g, x: [, b], y }) => [div(g, b!), neg(div(mul(g, y[0]!), b!))],
  pow: ({ g, x: [a, b], y }) => {
    // Replace the operands before they give an infinity: multiplied by 0, here or in a second derivative, it would give NaN.
    const lowered = select(equal(b!, 0), 0, sub(b!, 1));
    const isFlat = logicalAnd(equal(a!, 0), logicalNot(less(b!, 0)));
    return [mul(g, mul(b!, pow(a!, lowered))), mul(g, mul(log(select(isFlat, 1, a!)), y[0]!))];
  },
  maximum: ({ g, x: [a, b] }) => [onlyWhere(logicalNot(less(a!, b!)), g), onlyWhere(less(a!, b!), g)],
  minimum: ({ g, x: [a, b] }) => [onlyWhere(logicalNot(less(b!, a!)), g), onlyWhere(less(b!, a!), g)],
  select: ({ g, x: [condition] }) => [undefined, select(condition!, g, 0), select(condition!, 0, g)],

  matmul: ({ g, x: [a, b], attributes: { transposeA, transposeB } }) => {
    const byReadA = matmul(g, b!, { transposeB: !transposeB });
    const byA = transposeA ? swapLastAxes(byReadA) : byReadA;
    if (b!.shape.length === 2 && a!.shape.length > 2 && !transposeA) {
      // The whole batch shares one matrix: its gradient is one product over all rows.
      const rowsA = reshape(a!, [-1, a!.shape.at(-1)!]);
      const rowsG = reshape(g, [-1, g.shape.at(-1)!]);
      return [
        byA,
        transposeB ? matmul(rowsG, rowsA, { transposeA: true }) : matmul(rowsA, rowsG, { transposeA: true }),
      ];
    }
    const byB = transposeB
      ? matmul(g, a!, { transposeA: true, transposeB: transposeA })
      : matmul(a!, g, { transposeA: !transposeA });
    return [byA, byB];
  },
  conv2d: ({ g, x: [image, kernel, bias], attributes }) => [
    conv2dInputGradient(g, kernel!, image!.shape, attributes),
    conv2dWeightGradient(image!, g, kernel!.shape, attributes),
    bias && sum(g, { axes: [0, 2, 3] }),
  ],
  // A convolution of repeated pixels spreads each pixel with a wider kernel, like the input gradient of a convolution of stride `factor`.
  upsampleConv2d: ({ g, x: [image, kernel, bias], attributes: { factor, padding } }) => {
    const [out, channels, rows, columns] = kernel!.shape as [number, number, number, number];
    const spreading = spreadingTaps(rows, columns, factor);
    const wideShape = [out, channels, rows + factor - 1, columns + factor - 1];
    const exchange = (t: Tensor) => transpose(t, [1, 0, 2, 3]);
    const wide = exchange(reshape(matmul(reshape(kernel!, [out * channels, -1]), spreading), wideShape));
    const attributes = { stride: factor, padding };
    const byWide = exchange(conv2dWeightGradient(g, image!, wide.shape, attributes));
    const byTaps = matmul(reshape(byWide, [out * channels, -1]), spreading, { transposeB: true });
    return [conv2d(g, wide, attributes), reshape(byTaps, kernel!.shape), bias && sum(g, { axes: [0, 2, 3] })];
  },
  conv2dInputGradient: ({ g, x: [gradient, kernel], attributes }) => [
    conv2d(g, kernel!, attributes),
    conv2dWeightGradient(g, gradient!, kernel!.shape, attributes),
  ],
  conv2dWeightGradient: ({ g, x: [image, gradient], attributes }) => [
    conv2dInputGradient(gradient!, g, image!.shape, attributes),
    conv2d(image!, g, attributes),
  ],

  maxPool2d: ({ g, x, attributes }) => [maxPool2dGradient(x[0]!, g, attributes)],

  reshape: ({ g, x }) => [reshape(g, x[0]!.shape)],
  broadcast: ({ g }) => [g],
  upsample: ({ g, x, attributes: { factor } }) => {
    const [batch, channels, height, width] = x[0]!.shape as [number, number, number, number];
    return [sum(reshape(g, [batch, channels, height, factor, width, factor]), { axes: [3, 5] })];
  },
  transpose: ({ g, attributes }) => [transpose(g, inverse(attributes.permutation))],
  concat: ({ g, x, attributes: { axis } }) => {
    let end = 0;
    return x.map((part) => {
      const start = end;
      end += part.shape[axis]!;
      return sliceAxis(g, axis, start, end);
    });
  },
  slice: ({ g, x, attributes: { starts, ends } }) => [
    pad(
      g,
      starts,
      x[0]!.shape.map((size, axis) => size - ends[axis]!),
    ),
  ],
  pad: ({ g, x, attributes: { before } }) => [
    slice(
      g,
      before,
      x[0]!.shape.map((size, axis) => before[axis]! + size),
    ),
  ],

  sum: ({ g, x, attributes: { axes } }) => [broadcastTo(restoreAxes(g, x[0]!, axes), x[0]!.shape)],
  max: ({ g, x, y, attributes: { axes } }) => [
    onlyWhere(equal(x[0]!, restoreAxes(y[0]!, x[0]!, axes)), restoreAxes(g, x[0]!, axes)),
  ],
  // The sum from an element to the end is the total minus the sum of the elements before it.
  cumsum: ({ g }) => [add(sub(sum(g, { axes: [-1], keepDims: true }), cumsum(g)), g)],
  softmax: ({ g, y }) => [mul(y[0]!, sub(g, sum(mul(g, y[0]!), { axes: [-1], keepDims: true })))],
  logSoftmax: ({ g, x }) => [sub(g, mul(softmax(x[0]!), sum(g, { axes: [-1], keepDims: true })))],
  crossEntropy: ({ g, x: [logits, labels] }) => [
    mul(sub(softmax(logits!), oneHot(labels!, logits!.shape.at(-1)!)), reshape(g, [...g.shape, 1])),
    undefined,
  ],
  normalize: ({ g, y: [normalized, reciprocalDeviation] }) => {
    const alongNormalized = mul(normalized!, mean(mul(g, normalized!), { axes: [-1], keepDims: true }));
    const centred = sub(sub(g, mean(g, { axes: [-1], keepDims: true })), alongNormalized);
    return [mul(centred, reciprocalDeviation!)];
  },
  groupNormalize: ({ g, x: [x, weight], y: [, normalized, reciprocalDeviation], attributes: { groups } }) => {
    const [batch, channels] = x!.shape as [number, number];
    const rows = [batch, channels, sizeOf(x!.shape) / (batch * channels)];
    const [gRows, xRows] = [reshape(g, rows), reshape(normalized!, rows)];
    // Sum over the pixels of each channel first: the sums of a group are sums of these few values.
    const byBias = sum(gRows, { axes: [-1], keepDims: true });
    const byWeight = sum(mul(gRows, xRows), { axes: [-1], keepDims: true });
    const scale = mul(reshape(weight!, [groups, channels / groups]), reciprocalDeviation!);
    const groupMean = (t: Tensor) =>
      mul(sum(mul(reshape(t, scale.shape), scale), { axes: [-1], keepDims: true }), 1 / normalized!.shape.at(-1)!);
    const scaled = reshape(mul(gRows, reshape(scale, [batch, channels, 1])), normalized!.shape);
    const centred = add(mul(normalized!, groupMean(byWeight)), groupMean(byBias));
    return [
      reshape(sub(scaled, centred), x!.shape),
      reshape(sum(byWeight, { axes: [0] }), [channels]),
      reshape(sum(byBias, { axes: [0] }), [channels]),
    ];
  },
  sort: ({ g, x, y }) => [scatterAlong(y[1]!, g, x[0]!.shape.at(-1)!)],

  gather: ({ g, x: [table, indices] }) => {
    const rows = table!.shape[0]!;
    const byRow = scatterAdd(
      reshape(indices!, [-1]),
      reshape(g, [indices!.shape.reduce((n, size) => n * size, 1), -1]),
      rows,
    );
    return [reshape(byRow, table!.shape), undefined];
  },
  scatterAdd: ({ g, x: [indices] }) => [undefined, gather(g, indices!)],
  takeAlong: ({ g, x: [x, indices] }) => [scatterAlong(indices!, g, x!.shape.at(-1)!), undefined],
  scatterAlong: ({ g, x: [indices] }) => [undefined, takeAlong(g, indices!)],
};

export interface GradOptions {
  /**
   * Returns the segment of a layer: operations in layers with the same segment are computed again in the backward pass
   * instead of keeping their results in memory (Chen et al. 2016). Layers without a segment are not. Default: none.
   */
  readonly rematerialize?: ((layer: string) => string | undefined) | undefined;
}

/**
 * Builds the gradients of a scalar by some tensors, by reverse mode: a function from graph to graph. A tensor that the scalar does
 * not depend on gets zeros. The operations that it adds are in the layers of those that they differentiate.
 *
 * @throws GraphError if `of` is not a float32 scalar, or if an operator between `of` and `by` has no gradient rule.
 *
 * @example
 * ```ts
 * import { input, printGraph, square, sum } from '@dalle-mini/graph';
 * import { grad } from '@dalle-mini/graph/training';
 *
 * const x = input('x', [3]);
 * const [dx] = grad(sum(square(x)), [x]); // 2 · x
 * console.log(printGraph({ inputs: { x }, outputs: { dx: dx! } }));
 * ```
 */
export function grad(of: Tensor, by: readonly Tensor[], { rematerialize }: GradOptions = {}): Tensor[] {
  if (of.dtype !== 'float32' || of.shape.length > 0)
    throw new GraphError(`grad: of must be a float32 scalar, not ${describe(of)}.`);
  const order = topologicalOrder([of]);
  const wanted = new Set(by);
  const depends = new Set<Operation>();
  for (const node of order) {
    if (
      node.outputs.some((tensor) => wanted.has(tensor)) ||
      node.inputs.some((tensor) => depends.has(tensor.operation))
    )
      depends.add(node);
  }

  const gradients = new Map<Tensor, Tensor>([[of, scalar(1)]]);
  const recomputed = rematerialize && new Rematerialization(order, wanted, rematerialize);
  for (const node of order.toReversed()) {
    if (!depends.has(node) || !node.inputs.some((tensor) => depends.has(tensor.operation))) continue;
    if (!node.outputs.some((tensor) => gradients.has(tensor))) continue;
    const rule = gradientRules[node.name] as Rule<OperatorName> | undefined;
    const g = gradients.get(node.outputs[0]!);
    const others = node.outputs.slice(1).some((tensor) => gradients.has(tensor));
    if (!rule || !g || others) {
      const which = others ? ' for an output other than its first' : '';
      throw new GraphError(
        `grad: operator ${node.name}${node.layer ? ` in ${node.layer}` : ''} has no gradient rule${which}.`,
      );
    }
    inLayer(node.layer, () => {
      const again = recomputed?.copiesFor(node, g);
      const [x, y] = again ? [node.inputs.map(again), node.outputs.map(again)] : [node.inputs, node.outputs];
      const results = rule({ g, x, y, attributes: node.attributes });
      for (const [i, result] of results.entries()) {
        const operand = node.inputs[i]!;
        if (!result || !depends.has(operand.operation)) continue;
        if (!sameShape(broadcastShapes(operand.shape, result.shape) ?? [], result.shape)) {
          throw new GraphError(
            `grad: the rule of ${node.name} returned ${describe(result)} for operand ${i}, ${describe(operand)}.`,
          );
        }
        const gradient = sumTo(result, operand.shape);
        const known = gradients.get(operand);
        gradients.set(operand, known ? add(known, gradient) : gradient);
      }
    });
  }
  return by.map((tensor) => gradients.get(tensor) ?? fill(tensor.shape, 0));
}

/** Copies of segments of a graph, which compute their values again in the backward pass. */
class Rematerialization {
  private readonly segments = new Map<string, Operation[]>();
  private readonly copies = new Map<string, ReadonlyMap<Tensor, Tensor>>();

  /**
   * @param order The operations of the forward pass, in topological order.
   * @param kept Tensors that are in memory anyway: the parameters.
   */
  constructor(
    order: readonly Operation[],
    private readonly kept: ReadonlySet<Tensor>,
    private readonly segmentOf: (layer: string) => string | undefined,
  ) {
    for (const node of order) {
      const segment = segmentOf(node.layer);
      if (segment !== undefined) this.segments.set(segment, [...(this.segments.get(segment) ?? []), node]);
    }
  }

  /**
   * Returns a function from the tensors of the forward pass to their copies in the segment of a node, or `undefined` if the
   * node is in none.
   *
   * @param g The gradient by the first output of the node. The first call for a segment makes its copies wait for it.
   */
  copiesFor(node: Operation, g: Tensor): ((tensor: Tensor) => Tensor) | undefined {
    const segment = this.segmentOf(node.layer);
    if (segment === undefined) return undefined;
    let copies = this.copies.get(segment);
    if (!copies) {
      copies = this.copySegment(this.segments.get(segment)!, g);
      this.copies.set(segment, copies);
    }
    const found = copies;
    return (tensor) => found.get(tensor) ?? tensor;
  }

  private copySegment(nodes: readonly Operation[], g: Tensor): Map<Tensor, Tensor> {
    const inside = new Set(nodes);
    const copies = new Map<Tensor, Tensor>();
    // A copy of an input that depends on the gradient: without it, a runtime would compute the copies in the forward pass, or
    // merge them with the originals. Both branches are the input, so that its bits stay.
    const gate = equal(sliceAxis(reshape(g, [-1]), 0, 0, 1), 0);
    const copyOf = (tensor: Tensor): Tensor => {
      const known = copies.get(tensor);
      if (known) return known;
      const { name } = tensor.operation;
      const stays = inside.has(tensor.operation) || this.kept.has(tensor) || tensor.dtype !== 'float32';
      if (stays || name === 'parameter' || name === 'constant' || name === 'input') return tensor;
      const copy = select(gate, tensor, tensor);
      copies.set(tensor, copy);
      return copy;
    };
    for (const { name, inputs, attributes, outputs, layer } of nodes) {
      const operands = inputs.map(copyOf);
      // What depends on parameters only is not worth a copy.
      if (operands.every((operand, i) => operand === inputs[i])) continue;
      const made = inLayer(layer, () => operation(name, operands, attributes, outputs));
      for (const [i, tensor] of outputs.entries()) copies.set(tensor, made[i]!);
    }
    return copies;
  }
}
