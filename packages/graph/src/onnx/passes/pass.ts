import { isOperation } from '../../operation.js';
import type { Operation, OperatorName, Tensor } from '../../tensor.js';
import type { OnnxEmitter } from '../emitter.js';
import type { Lowering } from '../lowerings.js';

/** Writes an operation otherwise than its lowering does: returns the names of its outputs. */
export type Rewrite = (emitter: OnnxEmitter) => string | readonly string[];

/**
 * Finds operations of a graph, or of a loop's body, that can be written so that they run faster than by their lowerings, and how.
 * `'included'` is an operation that the rewrite of another one computes, and whose outputs nothing else needs.
 */
export type Pass = (
  operations: readonly Operation[],
  results: readonly Tensor[],
  emitter: OnnxEmitter,
) => ReadonlyMap<Operation, Rewrite | 'included'>;

/** Makes the pass that writes all operations of one operator by another lowering, where that suits them. */
export const replace =
  <Name extends OperatorName>(
    name: Name,
    lowering: Lowering<Name>,
    suits: (operation: Operation<Name>, emitter: OnnxEmitter) => boolean = () => true,
  ): Pass =>
  (operations, _, emitter) => {
    const rewrites = new Map<Operation, Rewrite>();
    for (const operation of operations) {
      if (!isOperation(operation, name) || !suits(operation, emitter)) continue;
      rewrites.set(operation, (emitter) => {
        const operands = operation.inputs.map((tensor) => emitter.nameOf(tensor));
        return lowering(emitter, operands, operation);
      });
    }
    return rewrites;
  };
