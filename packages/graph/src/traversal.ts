import { GraphError } from './graph-error.js';
import { isOperation } from './operation.js';
import type { Operation, Tensor } from './tensor.js';

/**
 * Returns the operations that the given tensors depend on, in topological order. It does not enter loop bodies: the tensors that a
 * body captures are inputs of the loop.
 */
export function topologicalOrder(outputs: Iterable<Tensor>): Operation[] {
  const order: Operation[] = [];
  const visited = new Set<Operation>();
  // An explicit stack: recursion over a long chain would overflow the call stack.
  for (const { operation: root } of outputs) {
    const stack: { node: Operation; next: number }[] = [];
    if (!visited.has(root)) {
      visited.add(root);
      stack.push({ node: root, next: 0 });
    }
    while (stack.length > 0) {
      const frame = stack[stack.length - 1]!;
      const input = frame.node.inputs[frame.next++];
      if (input === undefined) {
        order.push(frame.node);
        stack.pop();
      } else if (!visited.has(input.operation)) {
        visited.add(input.operation);
        stack.push({ node: input.operation, next: 0 });
      }
    }
  }
  return order;
}

/** Returns the parameters that the given tensors depend on, by name, in the order of their first use. */
export function parametersOf(outputs: Iterable<Tensor>): Map<string, Tensor> {
  const parameters = new Map<string, Tensor>();
  for (const node of topologicalOrder(outputs)) {
    if (!isOperation(node, 'parameter')) continue;
    const { name } = node.attributes;
    const tensor = node.outputs[0]!;
    if (parameters.has(name))
      throw new GraphError(`The name of a parameter must be unique in a graph, but two parameters are named ${name}.`);
    parameters.set(name, tensor);
  }
  return parameters;
}

/**
 * Returns the names of the inputs that the given tensors depend on.
 *
 * @param known Tensors whose inputs are left out.
 */
export function inputNamesOf(outputs: Iterable<Tensor>, known: ReadonlySet<Tensor> = new Set()): Set<string> {
  const names = new Set<string>();
  const visited = new Set<Tensor>(known);
  const left = [...outputs];
  for (let tensor = left.pop(); tensor; tensor = left.pop()) {
    if (visited.has(tensor)) continue;
    visited.add(tensor);
    const node = tensor.operation;
    if (isOperation(node, 'input')) names.add(node.attributes.name);
    left.push(...node.inputs);
  }
  return names;
}
