/** What runs use of `@dalle-mini/pipeline`: the devices. */
import { OptionError } from '@dalle-mini/core';
import type { Runtime } from '@dalle-mini/graph';
import { OnnxRuntimeWeb } from '@dalle-mini/graph/onnxruntime-web';

/** As in Node.js, so that settings are the same. */
export const deviceNames = ['cpu', 'xla-cpu', 'cuda', 'tpu'] as const;

export async function openRuntime(device: (typeof deviceNames)[number]): Promise<Runtime> {
  if (device !== 'cpu')
    throw new OptionError('device', '"cpu" in a browser, or left out with a runtime such as OnnxRuntimeWeb', device);
  return new OnnxRuntimeWeb();
}
