/**
 * CLIP (Radford et al. 2021) as functions from graph to graph; parameters are named as in Hugging Face's `CLIPModel`. Its text encoder is
 * in `@dalle-mini/text-encoder/clip`.
 */
import {
  add,
  broadcastTo,
  concat,
  conv2d,
  div,
  exp,
  type Initializer,
  input,
  matmul,
  mul,
  ParameterScope,
  reshape,
  sliceAxis,
  sqrt,
  square,
  sum,
  type Tensor,
  transpose,
} from '@dalle-mini/graph';
import { fanInUniform, normal } from '@dalle-mini/graph/initializers';
import { layerNorm, linear } from '@dalle-mini/graph/layers';
import { clipText, clipTransformer } from '@dalle-mini/text-encoder/clip';
import type { ClipConfig } from './config.js';

/**
 * Computes the image tower's last hidden states: images `[batch, 3, imageSize, imageSize]`, normalized as `writeClipPixels` does, to
 * `[batch, 1 + patches, image.width]`: the class token, then the patches in raster order.
 */
export function clipImageStates(scope: ParameterScope, config: ClipConfig, images: Tensor): Tensor {
  const { image: sizes, patchSize } = config;
  const { width, layerNormEpsilon: epsilon } = sizes;
  const batch = images.shape[0]!;
  const model = scope.in('vision_model');
  const embeddings = model.in('embeddings');
  const kernelShape = [width, 3, patchSize, patchSize];
  const kernel = embeddings
    .in('patch_embedding')
    .parameter('weight', kernelShape, fanInUniform(3 * patchSize * patchSize));
  const grid = conv2d(images, kernel, { stride: patchSize });
  const patches = transpose(reshape(grid, [batch, width, -1]), [0, 2, 1]);
  const classToken = embeddings.parameter('class_embedding', [width], normal(0.02));
  const tokens = concat([broadcastTo(classToken, [batch, 1, width]), patches], 1);
  const positions = embeddings.in('position_embedding').parameter('weight', [tokens.shape[1]!, width], normal(0.02));
  const embedded = add(tokens, positions);
  // The name is misspelled in the checkpoints.
  const normalized = layerNorm(model.in('pre_layrnorm'), embedded, { epsilon });
  return clipTransformer(model.in('encoder'), sizes, normalized).at(-1)!;
}

/**
 * Embeds images `[batch, 3, imageSize, imageSize]` in the space that they share with captions: to `[batch, projectionSize]`, not
 * normalized.
 */
export function clipImageEmbeddings(scope: ParameterScope, config: ClipConfig, images: Tensor): Tensor {
  const { width, layerNormEpsilon: epsilon } = config.image;
  const classStates = reshape(sliceAxis(clipImageStates(scope, config, images), 1, 0, 1), [-1, width]);
  const pooled = layerNorm(scope.in('vision_model').in('post_layernorm'), classStates, { epsilon });
  return linear(scope.in('visual_projection'), pooled, config.projectionSize, { bias: false });
}

/**
 * Computes exp(logit_scale) · cosine: caption embeddings `[captions, projectionSize]` and image embeddings `[images, projectionSize]` to
 * `[captions, images]`. A softmax along an axis gives the probabilities that CLIP was trained to get right.
 */
export function clipSimilarities(scope: ParameterScope, captions: Tensor, images: Tensor): Tensor {
  const cosines = matmul(toUnitLength(captions), toUnitLength(images), { transposeB: true });
  // As at the start of training: a temperature of 0.07.
  const logScale: Initializer = { kind: 'constant', scale: Math.log(1 / 0.07) };
  return mul(cosines, exp(scope.parameter('logit_scale', [], logScale)));
}

/** Returns the parameters of a CLIP of these sizes, by name. A checkpoint must contain them. */
export function clipParameters(config: ClipConfig): ReadonlyMap<string, Tensor> {
  const { imageSize } = config;
  const scope = new ParameterScope();
  // No parameter depends on the length, and the causal mask of a short caption is small.
  const captions = clipText(scope, config, input('ids', [1, 2], 'int32')).pooled;
  const images = clipImageEmbeddings(scope, config, input('images', [1, 3, imageSize, imageSize]));
  clipSimilarities(scope, captions, images);
  return scope.parameters;
}

/** Divides rows `[rows, width]` by their Euclidean length. */
function toUnitLength(x: Tensor): Tensor {
  return div(x, sqrt(sum(square(x), { axes: [-1], keepDims: true })));
}
