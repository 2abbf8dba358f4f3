import { isOperation } from '../operation.js';
import { loopBody } from '../operators.js';
import type { Graph, Operation, Tensor } from '../tensor.js';
import { topologicalOrder } from '../traversal.js';

/**
 * The names of the parameters that may be stored as `blocks` or `columns`: those that the graph only multiplies with, as `[out, in]`, the layout of
 * linear layers.
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
        // A loop's operands are what its body captures, which is looked at below.
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

/** Whether an operation is a product whose second operand, `[out, in]`, is the operand `index`. */
function multipliesWith(operation: Operation, index: number): boolean {
  if (!isOperation(operation, 'matmul') || index !== 1) return false;
  return operation.attributes.transposeB && !operation.attributes.transposeA;
}
