import type { OnnxEmitter, Product } from '../onnx/emitter.js';
import type { StableHloEmitter, Value as StableHloValue } from '../stablehlo/emitter.js';
import type { Shape, TensorData } from '../tensor.js';
import type { Description, InMemory, Layout } from './part.js';

/** The type of a tensor of a checkpoint: its element type, as safetensors names it, and its shape. */
export interface TensorType {
  readonly dtype: string;
  readonly shape: Shape;
}

/** The operations of a kind of stored parameter. */
export interface StoredKind<Value> {
  /** Returns a stored parameter without its parts, if the checkpoint has it in this kind. */
  find(name: string, shape: Shape, tensors: ReadonlyMap<string, TensorType>): Description<Value> | undefined;
  /** Returns the layout of its parts in a checkpoint file. */
  layout(value: Description<Value>): Layout<Value>;
  /** Returns its decoded values, row-major. */
  decode(value: InMemory<Value>): TensorData['data'];
  /**
   * Adds its parts to an ONNX model as initializers, the first under the parameter's name. Returns the name of its decoded values, or
   * the matrix product with it if the model does not decode it.
   */
  emit(emitter: OnnxEmitter, name: string, value: Value): string | Product;
  /** Decodes its parts in a module of StableHLO. */
  lower(
    emitter: StableHloEmitter,
    parts: Readonly<Record<keyof Layout<Value>, StableHloValue>>,
    value: Description<Value>,
  ): StableHloValue;
  /** Checks values that a device would not refuse. @throws GraphError if they are damaged. */
  check?(value: InMemory<Value>): void;
}
