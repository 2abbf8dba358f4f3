/** The graph of a pass of masked decoding: it predicts all tokens at once. */
import {
  argmax,
  concat,
  type Graph,
  input,
  logSoftmax,
  ParameterScope,
  parametersOf,
  reshape,
  sliceAxis,
  type Tensor,
  takeAlong,
} from '@dalle-mini/graph';
import { guide, type SamplingInputs, sample, sampleAll } from '../sampling.js';
import type { MaskedModel } from './model.js';

/** The sizes for which the graph is compiled. */
export interface PassShape {
  /** Number of images that are generated at once. */
  readonly images: number;
  /** Whether each image has a second, unconditional sequence, after all conditional ones. */
  readonly guided: boolean;
  /** Number of tokens of a caption. */
  readonly textLength: number;
  /** Number of most likely tokens to sample from, at least topK: 1 for the most likely one. Default: all, without topK and topP. */
  readonly candidates?: number | undefined;
}

/**
 * Builds the graph of a pass. Inputs: those of the model for captions; `tokens`, int32 `[images, gridSize²]`, of which some are
 * masked; `uniforms` `[images, gridSize²]`; and the options of sampling as scalars. Outputs: `sampled`, int32
 * `[images, gridSize²]`, a token for every place, and `logProbabilities` of these tokens, of the same shape.
 */
export function passGraph(model: MaskedModel, { images, guided, textLength, candidates }: PassShape): Graph {
  const { gridSize, vocabularySize } = model;
  const [sequences, places] = [guided ? 2 * images : images, gridSize ** 2];
  const text = model.textInputs(sequences, textLength);
  const tokens = input('tokens', [images, places], 'int32');
  const uniforms = input('uniforms', [images, places]);
  const options = {
    temperature: input('temperature', []),
    topK: input('topK', [], 'int32'),
    topP: input('topP', []),
  };
  const guidanceScale = input('guidanceScale', []);

  const all = model.logits(new ParameterScope(), guided ? concat([tokens, tokens], 0) : tokens, text);
  const half = (start: number) => sliceAxis(all, 0, start, start + images);
  const logits = guided ? guide(half(0), half(images), guidanceScale) : all; //   [images, gridSize², vocabularySize]
  const rows = reshape(logits, [images * places, vocabularySize]);
  const sampled = sampleRows(rows, options, reshape(uniforms, [images * places]), candidates);
  const chosen = takeAlong(logSoftmax(rows), reshape(sampled, [images * places, 1]));
  return {
    inputs: {
      ...text,
      tokens,
      ...usedInputs({ uniforms, ...options }, candidates),
      ...(guided ? { guidanceScale } : {}),
    },
    outputs: {
      sampled: reshape(sampled, [images, places]),
      logProbabilities: reshape(chosen, [images, places]),
    },
  };
}

function sampleRows(logits: Tensor, options: SamplingInputs, uniforms: Tensor, candidates: number | undefined): Tensor {
  if (candidates === 1) return argmax(logits);
  if (candidates === undefined) return sampleAll(logits, options.temperature, uniforms);
  return sample(logits, options, uniforms, candidates);
}

/** The inputs that sampling reads. */
function usedInputs(all: Readonly<Record<string, Tensor>>, candidates: number | undefined): Record<string, Tensor> {
  if (candidates === 1) return {};
  if (candidates === undefined) return { uniforms: all.uniforms!, temperature: all.temperature! };
  return all;
}

/** Returns the parameters of a model by name, which its checkpoint must have. */
export function parametersOfMaskedModel(model: MaskedModel): ReadonlyMap<string, Tensor> {
  const shape = { images: 1, guided: false, textLength: model.textLength ?? 1 };
  return parametersOf(Object.values(passGraph(model, shape).outputs));
}
