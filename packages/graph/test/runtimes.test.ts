import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { loadTfjs, TfjsRuntime } from '@dalle-mini/graph/tfjs';
import { testRuntime } from '@dalle-mini/testing/runtime-tests';

testRuntime('ONNX Runtime', async () => new OnnxRuntime({ threads: 1 }));
testRuntime('TensorFlow.js', async () => new TfjsRuntime(await loadTfjs()));
