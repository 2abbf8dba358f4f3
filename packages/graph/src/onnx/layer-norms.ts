import { isOperation } from '../operation.js';
import { sameShape } from '../shape.js';
import type { Operation, Tensor } from '../tensor.js';

/** A normalization with its scale and its shift, which ONNX's operator computes in one pass over memory. */
export interface LayerNorm {
  readonly x: Tensor;
  readonly epsilon: number;
  readonly weight?: Tensor;
  readonly bias?: Tensor;
}

/** What was found: by the last operation of each norm, and the operations before it, which are then not needed. */
export interface LayerNorms {
  readonly norms: ReadonlyMap<Operation, LayerNorm>;
  readonly absorbed: ReadonlySet<Operation>;
}

/**
 * Finds normalizations that are multiplied by a vector, or to which one is added, where nothing else needs what stands between: in
 * inference all layer norms, in training none, for gradients need it.
 */
export function findLayerNorms(operations: readonly Operation[], results: readonly Tensor[]): LayerNorms {
  const users = new Map<Tensor, (Operation | undefined)[]>();
  const use = (tensor: Tensor, user?: Operation) => {
    const known = users.get(tensor);
    if (known) known.push(user);
    else users.set(tensor, [user]);
  };
  for (const operation of operations) for (const tensor of operation.inputs) use(tensor, operation);
  for (const tensor of results) use(tensor);

  /** The operation that applies a vector to a tensor, and the vector, if nothing else uses the tensor. */
  const application = (name: 'mul' | 'add', tensor: Tensor): [Operation, Tensor] | undefined => {
    const [user, ...others] = users.get(tensor) ?? [];
    if (!user || others.length > 0 || !isOperation(user, name)) return undefined;
    const vector = user.inputs[user.inputs[0] === tensor ? 1 : 0]!;
    return sameShape(vector.shape, tensor.shape.slice(-1)) ? [user, vector] : undefined;
  };

  const norms = new Map<Operation, LayerNorm>();
  const absorbed = new Set<Operation>();
  for (const operation of operations) {
    if (!isOperation(operation, 'normalize')) continue;
    const [normalized, deviation] = operation.outputs;
    if (users.has(deviation!)) continue;
    const scaled = application('mul', normalized!);
    const shifted = application('add', scaled ? scaled[0].outputs[0]! : normalized!);
    const last = shifted ?? scaled;
    if (!last) continue;
    const { epsilon } = operation.attributes;
    norms.set(last[0], { x: operation.inputs[0]!, epsilon, weight: scaled?.[1], bias: shifted?.[1] });
    absorbed.add(operation);
    if (scaled && shifted) absorbed.add(scaled[0]);
  }
  return { norms, absorbed };
}
