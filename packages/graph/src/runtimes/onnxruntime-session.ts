/** What sessions of ONNX Runtime have in common: in Node.js with either build, and in browsers. */
import type * as ort from 'onnxruntime-node';
import { type Elements, type FileRegion, isInMemory, type Part } from '../stored/part.js';
import { partsOf, type StoredParameter, withParts } from '../stored/stored-parameter.js';
import type { TensorValues } from './runtime.js';
import { RuntimeUnavailableError } from './runtime-unavailable-error.js';

/** The part of a module of ONNX Runtime that is used. */
export type OnnxModule = Pick<typeof ort, 'env' | 'InferenceSession' | 'Tensor'>;

/** A value in memory that a model refers to by the name of a virtual file. */
export interface VirtualFile {
  readonly path: string;
  readonly data: Uint8Array;
}

export const sessionOptions = {
  graphOptimizationLevel: 'all',
  // Memory patterns allocate a planned block in addition to the memory of the first run: a training step peaked a third higher.
  enableMemPattern: false,
} as const satisfies ort.InferenceSession.SessionOptions;

/** Returns values as tensors of ONNX Runtime, which share their memory. */
export function tensorsOf({ Tensor }: Pick<OnnxModule, 'Tensor'>, values: TensorValues): Record<string, ort.Tensor> {
  const tensors = Object.entries(values).map(([name, { dtype, data, shape }]) => {
    return [name, new Tensor(dtype, data as never, shape)] as const;
  });
  return Object.fromEntries(tensors);
}

/**
 * Places parameters in memory outside the model, which is limited to 2 GB. Values in files stay where they are.
 *
 * @param bytesOf Returns the bytes of a value, or of a copy.
 */
export function placeOutside(
  values: readonly (readonly [name: string, value: StoredParameter])[],
  bytesOf: (elements: Elements) => Uint8Array,
): { readonly values: ReadonlyMap<string, StoredParameter>; readonly contents: readonly VirtualFile[] } {
  const contents: VirtualFile[] = [];
  const place = (part: Part<Elements>): FileRegion => {
    if (!isInMemory(part)) return part;
    const file = `memory/${contents.length}`;
    contents.push({ path: file, data: bytesOf(part) });
    return { folder: '', file, offset: 0 };
  };
  const places = values.map(([name, value]) => {
    const parts = partsOf(value).map(([field, , part]) => [field, place(part)] as const);
    return [name, withParts(value, parts)] as const;
  });
  return { values: new Map(places), contents };
}

/** The largest total of external values in bytes. WebAssembly has 4 GB of memory, and needs a second copy of some while it optimizes. */
const mostWebBytes = 2 ** 31 - 1;

/** @throws RuntimeUnavailableError if the external values of a model are too large for WebAssembly. */
export function checkWebSize(bytes: number): void {
  if (bytes <= mostWebBytes) return;
  throw new RuntimeUnavailableError(
    `The WebAssembly build of ONNX Runtime holds models of up to 2 GB, not ${(bytes / 1e9).toFixed(1)} GB. ` +
      'Store the model in fewer bits (dtype q8), or use a machine that onnxruntime-node has a build for.',
  );
}

/** Opens a model with the WebAssembly build, on the processor or on WebGPU. */
export function createWebSession(
  { InferenceSession }: Pick<OnnxModule, 'InferenceSession'>,
  model: Uint8Array,
  contents: readonly VirtualFile[],
  provider: 'wasm' | 'webgpu' = 'wasm',
): Promise<ort.InferenceSession> {
  return InferenceSession.create(model, {
    ...sessionOptions,
    ...(provider === 'webgpu' ? { extra: withoutSkipLayerNorm } : {}),
    executionProviders: [provider],
    externalData: contents,
  });
}

/** The fusion loses the deviation, the third output of LayerNormalization, which gradients need. */
const withoutSkipLayerNorm = { optimization: { disable_specified_optimizers: 'SkipLayerNormFusion' } };
