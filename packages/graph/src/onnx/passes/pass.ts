import { isOperation } from '../../operation.js';
import type { Operation, OperatorName, Tensor } from '../../tensor.js';
import type { OnnxEmitter } from '../emitter.js';
import type { Lowering } from '../lowerings.js';

/** Emits an operation in another form than its lowering does, and returns the names of its outputs. */
export type Rewrite = (emitter: OnnxEmitter) => string | readonly string[];

/**
 * Finds the operations of a graph, or of a loop's body, that have a faster form than their lowerings, and returns their rewrites.
 * `'included'` marks an operation that the rewrite of another one includes, and whose outputs nothing else uses.
 */
export type Pass = (
  operations: readonly Operation[],
  results: readonly Tensor[],
  emitter: OnnxEmitter,
) => ReadonlyMap<Operation, Rewrite | 'included'>;

/** Creates a pass that uses another lowering for the operations of one operator, if `suits` returns true for them. */
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
