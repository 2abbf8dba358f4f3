import type { OnnxEmitter, Product } from '../onnx/emitter.js';
import type { TensorData } from '../tensor.js';
import type { Description, InMemory, Layout } from './part.js';

/** All that a kind of stored parameter is. */
export interface StoredKind<Value> {
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
