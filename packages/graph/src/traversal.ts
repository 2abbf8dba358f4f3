import { GraphError } from './graph-error.js';
import { isOperation } from './operation.js';
import type { Operation, Tensor } from './tensor.js';

/**
 * The operations that some tensors depend on, each after those that it depends on. A loop's body is not entered: what the
 * body needs from outside stands among the loop's inputs.
 */
export function topologicalOrder(outputs: Iterable<Tensor>): Operation[] {
  const order: Operation[] = [];
  const visited = new Set<Operation>();
  // An explicit stack: long chains would overflow the call stack.
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

/** The parameters that some tensors depend on, by name, in the order of their first use. */
export function parametersOf(outputs: Iterable<Tensor>): Map<string, Tensor> {
  const parameters = new Map<string, Tensor>();
  for (const node of topologicalOrder(outputs)) {
    if (!isOperation(node, 'parameter')) continue;
    const { name } = node.attributes;
    const tensor = node.outputs[0]!;
    if (parameters.has(name))
      throw new GraphError(`two parameters are named ${name}; a parameter's name must be unique in a graph`);
    parameters.set(name, tensor);
  }
  return parameters;
}
