import { isOperation } from '../../operation.js';
import { sameShape } from '../../shape.js';
import type { Operation, Tensor } from '../../tensor.js';
import type { Pass, Rewrite } from './pass.js';

/**
 * Fuses a normalization with the multiplication and addition of vectors that follow it into one node, which takes one pass over
 * memory. This requires that nothing else uses the intermediate results. So it applies to all layer norms in inference, and to none in
 * training, where gradients use them.
 */
export const fuseLayerNorms: Pass = (operations, results) => {
  const users = new Map<Tensor, (Operation | undefined)[]>();
  const use = (tensor: Tensor, user?: Operation) => {
    const known = users.get(tensor);
    if (known) known.push(user);
    else users.set(tensor, [user]);
  };
  for (const operation of operations) for (const tensor of operation.inputs) use(tensor, operation);
  for (const tensor of results) use(tensor);

  /** Returns the operation that applies a vector to a tensor, and the vector, if nothing else uses the tensor. */
  const application = (name: 'mul' | 'add', tensor: Tensor): [Operation, Tensor] | undefined => {
    const [user, ...others] = users.get(tensor) ?? [];
    if (!user || others.length > 0 || !isOperation(user, name)) return undefined;
    const vector = user.inputs[user.inputs[0] === tensor ? 1 : 0]!;
    return sameShape(vector.shape, tensor.shape.slice(-1)) ? [user, vector] : undefined;
  };

  const rewrites = new Map<Operation, Rewrite | 'included'>();
  for (const operation of operations) {
    if (!isOperation(operation, 'normalize')) continue;
    const [normalized, deviation] = operation.outputs;
    if (users.has(deviation!)) continue;
    const scaled = application('mul', normalized!);
    const shifted = application('add', scaled ? scaled[0].outputs[0]! : normalized!);
    const last = shifted ?? scaled;
    if (!last) continue;
    const x = operation.inputs[0]!;
    rewrites.set(operation, 'included');
    if (scaled) rewrites.set(scaled[0], 'included');
    rewrites.set(last[0], (emitter) => {
      const weight = scaled ? emitter.nameOf(scaled[1]) : emitter.ones(x.shape.at(-1)!);
      const operands = [emitter.nameOf(x), weight, ...(shifted ? [emitter.nameOf(shifted[1])] : [])];
      return emitter.node('LayerNormalization', operands, {
        axis: -1,
        epsilon: { float: operation.attributes.epsilon },
      });
    });
  }
  return rewrites;
};
