import { isOperation } from '../operation.js';
import { loopBody } from '../operators.js';
import type { Graph, Operation, Tensor } from '../tensor.js';
import { topologicalOrder } from '../traversal.js';

/**
 * Returns the names of the parameters that can be stored as `blocks` or `columns`: those that the graph uses only as the `[out, in]`
 * operand of a matrix product, as linear layers do.
 */
export function quantizableParameters(graph: Graph): Set<string> {
  const names = new Set<string>();
  const others = new Set<string>();
  const refuse = (results: readonly Tensor[]) => {
    for (const { operation } of results) if (isOperation(operation, 'parameter')) others.add(operation.attributes.name);
  };
  const visit = (operations: readonly Operation[]) => {
    for (const operation of operations) {
      for (const [i, { operation: source, shape }] of operation.inputs.entries()) {
        if (!isOperation(source, 'parameter')) continue;
        // The other operands of a loop are captured by its body, which is visited below.
        if (isOperation(operation, 'loop') && i >= operation.attributes.carried.length) continue;
        (multipliesWith(operation, i) && shape.length === 2 ? names : others).add(source.attributes.name);
      }
      if (isOperation(operation, 'loop')) {
        const { operations: body, results } = loopBody(operation);
        visit(body);
        refuse(results);
      }
    }
  };
  const outputs = Object.values(graph.outputs);
  visit(topologicalOrder(outputs));
  refuse(outputs);
  for (const name of others) names.delete(name);
  return names;
}

/** Checks whether an operation is a matrix product and `index` is its `[out, in]` operand. */
function multipliesWith(operation: Operation, index: number): boolean {
  if (!isOperation(operation, 'matmul') || index !== 1) return false;
  return operation.attributes.transposeB && !operation.attributes.transposeA;
}
