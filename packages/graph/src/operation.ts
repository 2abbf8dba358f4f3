import { dynamicAxes } from './dynamic-axes.js';
import { GraphError } from './graph-error.js';
import type { DType, Operation, OperatorAttributes, OperatorName, Shape, Tensor } from './tensor.js';

const layers: string[] = [];

/** Builds part of a graph inside a named layer. Errors and printed graphs show the name. */
export function inLayer<T>(layer: string, build: () => T): T {
  layers.push(layer);
  try {
    return build();
  } finally {
    layers.pop();
  }
}

/** Creates the error for invalid operands of an operator, with their shapes and the current layer. */
export function operatorError(operator: OperatorName, operands: readonly Tensor[], problem: string): GraphError {
  const given = operands.map(describe).join(', ');
  const layer = layers.at(-1);
  return new GraphError(`${operator}(${given})${layer ? ` in ${layer}` : ''}: ${problem}.`);
}

/** Returns a tensor's type in words: `float32[2, 3]`, or `float32[2, up to 3]` if the last axis is dynamic. */
export function describe({ dtype, shape, dynamic = [] }: Tensor): string {
  const sizes = shape.map((size, axis) => (dynamic.includes(axis) ? `up to ${size}` : size));
  return `${dtype}[${sizes.join(', ')}]`;
}

/** Adds an operation with any number of outputs. The caller checks the shapes. */
export function operation<Name extends OperatorName>(
  name: Name,
  inputs: readonly Tensor[],
  attributes: OperatorAttributes[Name],
  outputs: readonly { shape: Shape; dtype: DType }[],
): Tensor[] {
  const tensors: Tensor[] = [];
  const node: Operation<Name> = { name, attributes, inputs, outputs: tensors, layer: layers.at(-1) ?? '' };
  const dynamic = dynamicAxes(node, outputs);
  if (typeof dynamic === 'string') throw operatorError(name, inputs, dynamic);
  for (const [index, { shape, dtype }] of outputs.entries()) {
    if (!shape.every((size) => Number.isSafeInteger(size) && size >= 0)) {
      throw operatorError(name, inputs, `a shape must consist of non-negative integers, not [${shape.join(', ')}]`);
    }
    const axes = dynamic?.[index] ?? [];
    tensors.push({
      operation: node,
      index,
      shape,
      dtype,
      ...(axes.length > 0 ? { dynamic: axes } : {}),
    });
  }
  return tensors;
}

/** Checks whether an operation applies the named operator, and narrows the type of its attributes. */
export function isOperation<Name extends OperatorName>(node: Operation, name: Name): node is Operation<Name> {
  return node.name === name;
}
