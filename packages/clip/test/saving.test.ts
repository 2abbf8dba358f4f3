import { captionGraph, importClip, scoreGraph } from '@dalle-mini/clip';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { compiledAndReopened } from '@dalle-mini/testing/onnx-file';
import { Values } from '@dalle-mini/testing/values';
import { fromFloat32, readSafetensors, writeSafetensors } from '@dalle-mini/weights';
import { afterAll, describe, expect, test } from 'vitest';
import { openaiWeights, tinyClip } from './fixtures.js';

const runtime = new OnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

const { config } = tinyClip('patch-16');
const parameters = importClip(openaiWeights(), config);

describe('a CLIP', () => {
  test('is saved as safetensors and JSON, and read again to the same values', () => {
    const tensors = [...parameters].map(
      ([name, { data, shape }]) => [name, fromFloat32(data as Float32Array, shape)] as const,
    );
    const { tensors: read } = readSafetensors(writeSafetensors(new Map(tensors)));
    expect(importClip(read, JSON.parse(JSON.stringify(config)))).toEqual(parameters);
  });

  test('is written as ONNX models that give the same scores', async () => {
    const values = new Values(1);
    const ids = values.integers([1, config.maxLength], 1, config.vocabularySize);
    const caption = await compiledAndReopened(runtime, captionGraph(config), parameters, { ids });
    expect(caption.compiled.caption!.shape).toEqual([1, config.projectionSize]);
    expect(caption.reopened).toEqual(caption.compiled);

    const images = values.floats([2, 3, config.imageSize, config.imageSize]);
    const inputs = { images, ...caption.compiled };
    const scores = await compiledAndReopened(runtime, scoreGraph(config, 2), parameters, inputs);
    expect(scores.compiled.scores!.shape).toEqual([2]);
    expect(scores.reopened).toEqual(scores.compiled);
  });
});
