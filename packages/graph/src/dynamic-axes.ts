/** Rules that derive the dynamic axes of an operation's outputs from those of its operands: see `InputOptions.dynamic`. */
import type { Operation, OperatorAttributes, OperatorName, Shape, Tensor } from './tensor.js';

type Axes = readonly number[];

/** Returns the dynamic axes of each output, or the reason in words if the operator does not support the operands' dynamic axes. */
type Rule<Name extends OperatorName> = (
  inputs: readonly Tensor[],
  attributes: OperatorAttributes[Name],
  outputs: readonly Shape[],
) => readonly Axes[] | string;

const axesOf = ({ dynamic = [] }: Tensor): Axes => dynamic;
const rankOf = ({ shape }: Tensor): number => shape.length;

const broadcast: Rule<OperatorName> = (inputs, _, [output]) => {
  return [inputs.flatMap((tensor) => axesOf(tensor).map((axis) => axis + output!.length - rankOf(tensor)))];
};

const reduction: Rule<'sum' | 'max'> = ([x], { axes, keepDims }) => {
  const kept = axesOf(x!).filter((axis) => !axes.includes(axis));
  return [keepDims ? kept : kept.map((axis) => axis - axes.filter((reduced) => reduced < axis).length)];
};

const elementwise = [
  ...(['neg', 'exp', 'log', 'sqrt', 'reciprocal', 'abs', 'sign', 'sin', 'cos', 'tanh', 'erf', 'sigmoid'] as const),
  ...(['relu', 'gelu', 'swish', 'logicalNot', 'stopGradient', 'cast', 'add', 'sub', 'mul', 'div', 'pow'] as const),
  ...(['maximum', 'minimum', 'equal', 'less', 'greater', 'logicalAnd', 'select'] as const),
  ...(['concat', 'cumsum', 'softmax', 'logSoftmax'] as const),
];

const rules: { readonly [Name in OperatorName]?: Rule<Name> } = {
  ...Object.fromEntries(elementwise.map((name) => [name, broadcast])),
  matmul: ([a, b], { transposeA, transposeB }) => {
    const [rank, others] = [rankOf(a!), rankOf(b!)];
    const rows = transposeA ? rank - 1 : rank - 2;
    const columns = transposeB ? others - 2 : others - 1;
    const ofA = axesOf(a!).flatMap((axis) => (axis < rank - 2 ? [axis] : axis === rows ? [rank - 2] : []));
    const ofB = axesOf(b!).flatMap((axis) =>
      axis < others - 2 ? [axis + rank - others] : axis === columns ? [rank - 1] : [],
    );
    return [[...ofA, ...ofB]];
  },
  reshape: ([x], _, [shape]) => {
    // An axis of size 1 looks like one that a reshape adds, and it is never shorter.
    const given = axesOf(x!).filter((axis) => x!.shape[axis] !== 1);
    const kept = given.map((axis) => axisAfterReshape(x!.shape, shape!, axis));
    const lost = kept.indexOf(undefined);
    if (lost >= 0) return `axis ${given[lost]} is dynamic and must stay an axis of its own`;
    const moved = kept.filter((axis, i) => axis !== given[i]);
    return moved.length > 1 ? 'only one of several dynamic axes can move' : [kept as number[]];
  },
  transpose: ([x], { permutation }) => [axesOf(x!).map((axis) => permutation.indexOf(axis))],
  // Only a slice that reaches to the end of an axis keeps it dynamic.
  slice: ([x], { ends }) => [axesOf(x!).filter((axis) => ends[axis] === x!.shape[axis])],
  sum: reduction,
  max: reduction,
  argmax: ([x]) => [axesOf(x!).filter((axis) => axis < rankOf(x!) - 1)],
  normalize: ([x]) => [axesOf(x!), axesOf(x!).filter((axis) => axis < rankOf(x!) - 1)],
  gather: ([table, indices]) => {
    const ofRows = axesOf(table!).flatMap((axis) => (axis === 0 ? [] : [axis - 1 + rankOf(indices!)]));
    return [[...axesOf(indices!), ...ofRows]];
  },
  oneHot: ([indices]) => [axesOf(indices!)],
  // Captured tensors may be dynamic, carried tensors may not.
  loop: (inputs, { carried }, outputs) =>
    inputs.slice(0, carried.length).some(({ dynamic }) => dynamic)
      ? 'carried tensors must not have a dynamic axis'
      : outputs.map(() => []),
};

/**
 * Returns the dynamic axes of each output of an operation. Returns `undefined` if no operand has one, and the reason in words if the
 * operator does not support them.
 */
export function dynamicAxes(
  { name, inputs, attributes }: Pick<Operation, 'name' | 'inputs' | 'attributes'>,
  outputs: readonly { readonly shape: Shape }[],
): readonly Axes[] | string | undefined {
  if (name === 'input') {
    const { dynamic } = attributes as OperatorAttributes['input'];
    return [dynamic === undefined ? [] : [dynamic]];
  }
  if (!inputs.some(({ dynamic }) => dynamic)) return undefined;
  const rule = rules[name] as Rule<OperatorName> | undefined;
  const shapes = outputs.map(({ shape }) => shape);
  const axes = rule ? rule(inputs, attributes, shapes) : 'its operands must not have a dynamic axis';
  return typeof axes === 'string' ? axes : axes.map((some) => [...new Set(some)].sort((a, b) => a - b));
}

/** Returns the index of an axis after a reshape, or `undefined` if the reshape splits it or merges it with another axis. */
export function axisAfterReshape(from: Shape, to: Shape, axis: number): number | undefined {
  const before = (shape: Shape, end: number) => shape.slice(0, end).reduce((product, size) => product * size, 1);
  const stays = (size: number, place: number) => size === from[axis] && before(to, place) === before(from, axis);
  const place = to.findIndex(stays);
  return place < 0 ? undefined : place;
}

/** Returns the shape operand of ONNX's Reshape: 0 for a dynamic axis that keeps its index, -1 for one that moves. */
export function relativeShape(from: Tensor, { shape, dynamic = [] }: Tensor): number[] {
  return shape.map((size, axis) => {
    if (!dynamic.includes(axis)) return size;
    return axesOf(from).includes(axis) && axisAfterReshape(from.shape, shape, axis) === axis ? 0 : -1;
  });
}
