import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { deviceNames, fromPretrained, openRuntime } from '@dalle-mini/pipeline';
import { expect, test } from 'vitest';

test('the runtime of the processor is ONNX Runtime', async () => {
  const runtime = await openRuntime('cpu', { threads: 1 });
  expect(runtime).toBeInstanceOf(OnnxRuntime);
  await runtime.dispose();
});

test('a device that is not known is refused with the names of those that are', async () => {
  const opening = fromPretrained('emoji', { device: 'gpu' as 'cpu' });
  await expect(opening).rejects.toThrow(deviceNames.map((name) => JSON.stringify(name)).at(-1)!);
});
