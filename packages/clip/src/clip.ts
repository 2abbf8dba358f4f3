/** CLIP (Radford et al. 2021) as functions from graph to graph; parameters are named as in Hugging Face's `CLIPModel`. */
import {
  add,
  argmax,
  broadcastTo,
  concat,
  constant,
  conv2d,
  div,
  exp,
  gather,
  gelu,
  type Initializer,
  input,
  matmul,
  mul,
  ParameterScope,
  reshape,
  sigmoid,
  sliceAxis,
  sqrt,
  square,
  sum,
  type Tensor,
  transpose,
} from '@dalle-mini/graph';
import { fanInUniform, normal } from '@dalle-mini/graph/initializers';
import {
  causalMask,
  dotProductAttention,
  embedding,
  layerNorm,
  linear,
  mergeHeads,
  splitHeads,
} from '@dalle-mini/graph/layers';
import type { ClipConfig, ClipTransformerConfig } from './config.js';

/**
 * Computes the text tower's last hidden states: token ids, int32 `[batch, length]`, to `[batch, length, text.width]`, normalized. Each
 * token sees those before it and itself, so what follows the end token changes nothing before it.
 * @throws GraphError if `length` is past `maxLength`.
 */
export function clipTextStates(scope: ParameterScope, config: ClipConfig, ids: Tensor): Tensor {
  const { text: sizes, vocabularySize, maxLength } = config;
  const length = ids.shape[1]!;
  const model = scope.in('text_model');
  const tokens = embedding(model.in('embeddings').in('token_embedding'), ids, vocabularySize, sizes.width);
  const positions = positionEmbeddings(model, maxLength, sizes.width);
  const embedded = add(tokens, sliceAxis(positions, 0, 0, length));
  const states = transformer(model.in('encoder'), sizes, embedded, causalMask(length));
  return layerNorm(model.in('final_layer_norm'), states, { epsilon: sizes.layerNormEpsilon });
}

/**
 * Embeds captions in the space that they share with images: ids, int32 `[batch, length]`, to `[batch, projectionSize]`, not normalized. The
 * state at a caption's first end token, the largest id of the vocabulary, represents all of it.
 */
export function clipTextEmbeddings(scope: ParameterScope, config: ClipConfig, ids: Tensor): Tensor {
  const [batch, length] = ids.shape as [number, number];
  const states = reshape(clipTextStates(scope, config, ids), [batch * length, -1]);
  const firstRows = Int32Array.from({ length: batch }, (_, row) => row * length);
  const ends = add(argmax(ids), constant({ dtype: 'int32', shape: [batch], data: firstRows }));
  return linear(scope.in('text_projection'), gather(states, ends), config.projectionSize, { bias: false });
}

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
  const embedded = add(tokens, positionEmbeddings(model, tokens.shape[1]!, width));
  // The name is misspelled in the checkpoints.
  return transformer(model.in('encoder'), sizes, layerNorm(model.in('pre_layrnorm'), embedded, { epsilon }));
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
  const captions = clipTextEmbeddings(scope, config, input('ids', [1, 2], 'int32'));
  const images = clipImageEmbeddings(scope, config, input('images', [1, 3, imageSize, imageSize]));
  clipSimilarities(scope, captions, images);
  return scope.parameters;
}

function positionEmbeddings(model: ParameterScope, count: number, width: number): Tensor {
  return model.in('embeddings').in('position_embedding').parameter('weight', [count, width], normal(0.02));
}

function transformer(scope: ParameterScope, sizes: ClipTransformerConfig, x: Tensor, mask?: Tensor): Tensor {
  let hidden = x;
  for (let layer = 0; layer < sizes.layers; layer++) {
    hidden = transformerLayer(scope.in('layers').in(layer), sizes, hidden, mask);
  }
  return hidden;
}

/** Pre-norm: each half normalizes its input and adds its result to it. */
function transformerLayer(scope: ParameterScope, sizes: ClipTransformerConfig, x: Tensor, mask?: Tensor): Tensor {
  const { heads, width, feedForwardWidth, layerNormEpsilon: epsilon } = sizes;
  const attention = scope.in('self_attn');
  const normalized = layerNorm(scope.in('layer_norm1'), x, { epsilon });
  const [queries, keys, values] = ['q_proj', 'k_proj', 'v_proj'].map((name) =>
    splitHeads(linear(attention.in(name), normalized, width), heads),
  ) as [Tensor, Tensor, Tensor];
  const context = mergeHeads(dotProductAttention(queries, keys, values, mask));
  const middle = add(x, linear(attention.in('out_proj'), context, width));

  const mlp = scope.in('mlp');
  const widened = linear(mlp.in('fc1'), layerNorm(scope.in('layer_norm2'), middle, { epsilon }), feedForwardWidth);
  const activated = sizes.activation === 'gelu' ? gelu(widened) : quickGelu(widened);
  return add(middle, linear(mlp.in('fc2'), activated, width));
}

/** x · σ(1.702 x), an approximation of the Gaussian error linear unit (Hendrycks and Gimpel 2016). */
function quickGelu(x: Tensor): Tensor {
  return mul(x, sigmoid(mul(x, 1.702)));
}

/** Divides rows `[rows, width]` by their Euclidean length. */
function toUnitLength(x: Tensor): Tensor {
  return div(x, sqrt(sum(square(x), { axes: [-1], keepDims: true })));
}
