import type { TensorValues } from './runtime.js';

/** Detaches the buffers of values, as a transfer to another thread does. */
export function detach(values: TensorValues): void {
  for (const { data } of Object.values(values)) {
    if (data.buffer.byteLength > 0) structuredClone(data.buffer, { transfer: [data.buffer as ArrayBuffer] });
  }
}
