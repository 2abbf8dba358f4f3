import type { OnnxEmitter, Product } from '../onnx/emitter.js';
import type { Shape, TensorData } from '../tensor.js';
import type { Description, InMemory, Layout } from './part.js';

/** The type of a tensor of a checkpoint: its element type, as safetensors names it, and its shape. */
export interface TensorType {
  readonly dtype: string;
  readonly shape: Shape;
}

/** All that a kind of stored parameter is. */
export interface StoredKind<Value> {
  /** What a tensor of a checkpoint is apart from its parts, if the checkpoint has it in this kind. */
  find(name: string, shape: Shape, tensors: ReadonlyMap<string, TensorType>): Description<Value> | undefined;
  /** How a checkpoint file has its parts. */
  layout(value: Description<Value>): Layout<Value>;
  /** The values that it stands for, row-major. */
  decode(value: InMemory<Value>): TensorData['data'];
  /**
   * Adds its parts to an ONNX model as initializers, the first under the parameter's name. Returns the name of its values, or how the
   * model multiplies with it without widening it.
   */
  emit(emitter: OnnxEmitter, name: string, value: Value): string | Product;
}
