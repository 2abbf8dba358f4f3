import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { compiledAndReopened } from '@dalle-mini/testing/onnx-file';
import { integers, parametersOf, whole } from '@dalle-mini/testing/published';
import { int32, Values } from '@dalle-mini/testing/values';
import { bartGraph, bertGraph, bertWeights, importTextEncoderConfig, parseBertConfig } from '@dalle-mini/text-encoder';
import { afterAll, describe, expect, test } from 'vitest';
import { families, readModel } from './hugging-face.js';

const runtime = new OnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());

describe('a text encoder, written as an ONNX model, gives the same hidden states:', () => {
  test.each(families)('%s', async (family) => {
    const model = readModel(family);
    const config = parseBertConfig(model.config);
    const parameters = bertWeights(model.readWeights('model.safetensors'), config);
    const inputs = {
      ids: new Values(1).integers([2, 6], 4, config.vocabularySize),
      attentionMask: int32([2, 6], [1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0]),
    };
    const graph = bertGraph(config, 2, 6);
    const { compiled, reopened } = await compiledAndReopened(runtime, graph, parameters, inputs);
    expect(compiled.hiddenStates!.shape).toEqual([2, 6, config.width]);
    expect(reopened).toEqual(compiled);
  });

  test('the BART encoder of DALL·E Mini', async () => {
    const config = importTextEncoderConfig(whole.description.config);
    const inputs = {
      ids: integers(whole.tensors.get('text_tokens')!),
      attentionMask: integers(whole.tensors.get('text_mask')!),
    };
    const parameters = parametersOf(whole.tensors, config);
    const { compiled, reopened } = await compiledAndReopened(runtime, bartGraph(config, 2), parameters, inputs);
    expect(compiled.hiddenStates!.shape).toEqual([2, config.maxLength, config.width]);
    expect(reopened).toEqual(compiled);
  });
});
