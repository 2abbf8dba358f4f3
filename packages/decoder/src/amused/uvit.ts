/**
 * aMUSEd's decoder (Patil et al. 2024): a U-ViT, that is a transformer between two blocks of convolutions and attention. It computes what
 * `UVit2DModel` of diffusers does, and its parameters have the names and shapes of the published files. Images are `[batch, places, width]`
 * here, where diffusers has `[batch, width, height, width]`.
 */
import {
  add,
  broadcastTo,
  concat,
  constant,
  div,
  gelu,
  inLayer,
  matmul,
  mean,
  mul,
  type ParameterScope,
  pad,
  reshape,
  slice,
  sliceAxis,
  split,
  sqrt,
  square,
  sum,
  swish,
  type Tensor,
  transpose,
} from '@dalle-mini/graph';
import { ones, zeros } from '@dalle-mini/graph/initializers';
import {
  dotProductAttention,
  embedding,
  layerNorm,
  linear,
  mergeHeads,
  rmsNorm,
  splitHeads,
} from '@dalle-mini/graph/layers';
import type { AmusedConfig } from './config.js';

/** What the model reads of a caption: CLIP's hidden states before the last layer, and its pooled embedding. */
export interface AmusedText {
  /** `[batch, textLength, textWidth]`. */
  readonly hiddenStates: Tensor;
  /** `[batch, pooledWidth]`. */
  readonly pooled: Tensor;
}

/** The caption as the blocks read it. */
interface Condition {
  /** `[batch, textLength, width]`. */
  readonly text: Tensor;
  /** The pooled embedding and the micro conditions, `[batch, width]`, after their activation. */
  readonly pooled: Tensor;
}

const plain = { bias: false } as const;

/** Computes the logits at all places, `[batch, gridSize², vocabularySize]`, from tokens of which some are masked, int32 `[batch, gridSize²]`. */
export function amusedLogits(scope: ParameterScope, config: AmusedConfig, tokens: Tensor, text: AmusedText): Tensor {
  const { embeddingWidth, width, layers, blockWidth, gridSize, vocabularySize, paddedVocabularySize } = config;
  const epsilon = { epsilon: config.normEpsilon };
  const condition = readText(scope, config, text);

  const embed = scope.in('embed');
  let x = embedding(embed.in('embeddings'), tokens, paddedVocabularySize, embeddingWidth);
  x = pointwise(embed.in('conv'), rmsNorm(embed.in('layer_norm'), x, epsilon), blockWidth); // [batch, places, blockWidth]

  const grid = config.downsample ? gridSize / 2 : gridSize;
  if (config.downsample) x = downsample(scope.in('down_block').in('downsample'), x, gridSize, epsilon);
  x = block(scope.in('down_block'), config, x, grid, condition);

  x = linear(scope.in('project_to_hidden'), rmsNorm(scope.in('project_to_hidden_norm'), x, epsilon), width, plain);
  for (let layer = 0; layer < layers; layer++) {
    const at = scope.in('transformer_layers').in(layer);
    x = inLayer(at.path, () => transformerLayer(at, config, x, condition)); //              [batch, places, width]
  }
  const projected = rmsNorm(scope.in('project_from_hidden_norm'), x, epsilon);
  x = linear(scope.in('project_from_hidden'), projected, blockWidth, plain);

  x = block(scope.in('up_block'), config, x, grid, condition);
  if (config.downsample) x = upsample(scope.in('up_block').in('upsample'), x, grid, epsilon);

  const head = scope.in('mlm_layer');
  x = rmsNorm(head.in('layer_norm'), pointwise(head.in('conv1'), x, embeddingWidth), epsilon);
  return pointwise(head.in('conv2'), x, vocabularySize);
}

function readText(scope: ParameterScope, config: AmusedConfig, { hiddenStates, pooled }: AmusedText): Condition {
  const projected = linear(scope.in('encoder_proj'), hiddenStates, config.width, plain);
  const embed = scope.in('cond_embed');
  const all = concat([pooled, broadcastTo(microConditions(config), [pooled.shape[0]!, 5 * config.microWidth])], 1);
  const hidden = swish(linear(embed.in('linear_1'), all, config.width, plain));
  return {
    text: rmsNorm(scope.in('encoder_proj_layer_norm'), projected, { epsilon: config.normEpsilon }),
    // Everything that reads it applies the activation first.
    pooled: swish(linear(embed.in('linear_2'), hidden, config.width, plain)),
  };
}

/** The micro conditions of the published pipeline: width, height, crop at (0, 0), and an aesthetic score of 6. */
function microConditions({ imageSize, microWidth }: AmusedConfig): Tensor {
  const half = microWidth / 2;
  const embedded = [imageSize, imageSize, 0, 0, 6].flatMap((value) => {
    const angles = Array.from({ length: half }, (_, i) =>
      Math.fround(value * Math.fround(Math.exp(Math.fround((-Math.log(10_000) * i) / half)))),
    );
    return [...angles.map(Math.cos), ...angles.map(Math.sin)];
  });
  return constant({ dtype: 'float32', shape: [1, 5 * microWidth], data: Float32Array.from(embedded) });
}

/** Residual blocks of convolutions, each followed by attention to the caption (`UVitBlock`). */
function block(scope: ParameterScope, config: AmusedConfig, x: Tensor, grid: number, condition: Condition): Tensor {
  for (let i = 0; i < config.resBlocks; i++) {
    const [convolutions, attention] = [scope.in('res_blocks').in(i), scope.in('attention_blocks').in(i)];
    x = inLayer(convolutions.path, () => convNextBlock(convolutions, config, x, grid, condition));
    x = inLayer(attention.path, () => captionBlock(attention, config, x, condition));
  }
  return x;
}

/** A block of ConvNeXt v2 (Woo et al. 2023), scaled and shifted by the caption. */
function convNextBlock(
  scope: ParameterScope,
  { normEpsilon }: AmusedConfig,
  x: Tensor,
  grid: number,
  { pooled }: Condition,
): Tensor {
  const width = x.shape[2]!;
  let h = depthwise(scope.in('depthwise'), x, grid);
  h = rmsNorm(scope.in('norm'), h, { epsilon: normEpsilon });
  h = gelu(linear(scope.in('channelwise_linear_1'), h, 4 * width, plain));
  h = responseNorm(scope.in('channelwise_norm'), h);
  h = add(x, linear(scope.in('channelwise_linear_2'), h, width, plain));
  return modulate(scope.in('cond_embeds_mapper'), h, pooled);
}

/** x · (1 + scale) + shift, with both from the caption. */
function modulate(scope: ParameterScope, x: Tensor, pooled: Tensor): Tensor {
  const [batch, , width] = x.shape as [number, number, number];
  const [scale, shift] = split(linear(scope, pooled, 2 * width, plain), 2, 1);
  return add(mul(x, add(reshape(scale!, [batch, 1, width]), 1)), reshape(shift!, [batch, 1, width]));
}

/** Global response normalization (ConvNeXt v2), over all places. */
function responseNorm(scope: ParameterScope, x: Tensor): Tensor {
  const shape = [1, 1, 1, x.shape[2]!];
  const parameter = (name: string) => reshape(scope.parameter(name, shape, zeros), shape.slice(1));
  const norms = sqrt(sum(square(x), { axes: [1], keepDims: true })); //                     [batch, 1, width]
  const relative = div(norms, add(mean(norms, { axes: [2], keepDims: true }), 1e-6));
  return add(add(mul(parameter('gamma'), mul(x, relative)), parameter('beta')), x);
}

/** Two attentions to the caption, without a feed-forward layer (`SkipFFTransformerBlock`). */
function captionBlock(scope: ParameterScope, config: AmusedConfig, x: Tensor, { text }: Condition): Tensor {
  const width = x.shape[2]!;
  const mapped = config.width === width ? text : linear(scope.in('kv_mapper'), swish(text), width, plain);
  for (const i of [1, 2]) {
    const normalized = rmsNorm(scope.in(`norm${i}`), x, { epsilon: 1e-6 });
    x = add(x, attention(scope.in(`attn${i}`), normalized, mapped, config.blockHeads));
  }
  return x;
}

/** Attention to all places, attention to the caption, and a gated feed-forward layer. */
function transformerLayer(scope: ParameterScope, config: AmusedConfig, x: Tensor, { text, pooled }: Condition): Tensor {
  const { width, heads, feedForwardWidth, normEpsilon: epsilon } = config;
  const adapted = (name: string, norm: (at: ParameterScope) => Tensor) =>
    modulate(scope.in(name).in('linear'), norm(scope.in(name).in('norm')), pooled);
  let h = adapted('norm1', (at) => rmsNorm(at, x, { epsilon }));
  x = add(x, attention(scope.in('attn1'), h, h, heads));
  h = adapted('norm2', (at) => rmsNorm(at, x, { epsilon }));
  x = add(x, attention(scope.in('attn2'), h, text, heads));
  h = adapted('norm3', (at) => layerNorm(at, x, { epsilon, bias: false }));
  const net = scope.in('ff').in('net');
  const [value, gate] = split(linear(net.in(0).in('proj'), h, 2 * feedForwardWidth, plain), 2, 2);
  return add(x, linear(net.in(2), mul(value!, gelu(gate!)), width, plain));
}

function attention(scope: ParameterScope, x: Tensor, memory: Tensor, heads: number): Tensor {
  const width = x.shape[2]!;
  const project = (name: string, from: Tensor) => splitHeads(linear(scope.in(name), from, width, plain), heads);
  const h = dotProductAttention(project('to_q', x), project('to_k', memory), project('to_v', memory));
  return linear(scope.in('to_out').in(0), mergeHeads(h), width, plain);
}

/** A convolution of 1 × 1 pixels: weights `[out, in, 1, 1]`. */
function pointwise(scope: ParameterScope, x: Tensor, outWidth: number): Tensor {
  const width = x.shape[2]!;
  const weight = reshape(scope.parameter('weight', [outWidth, width, 1, 1], ones), [outWidth, width]);
  return matmul(x, weight, { transposeB: true });
}

/** A convolution of 3 × 3 pixels of each channel by itself: weights `[width, 1, 3, 3]`. */
function depthwise(scope: ParameterScope, x: Tensor, grid: number): Tensor {
  const [batch, places, width] = x.shape as [number, number, number];
  const weight = transpose(reshape(scope.parameter('weight', [width, 1, 3, 3], ones), [width, 9]), [1, 0]);
  const padded = pad(reshape(x, [batch, grid, grid, width]), [0, 1, 1, 0], [0, 1, 1, 0]);
  const taps = Array.from({ length: 9 }, (_, tap) => {
    const [top, left] = [Math.floor(tap / 3), tap % 3];
    const shifted = slice(padded, [0, top, left, 0], [batch, top + grid, left + grid, width]);
    return mul(shifted, reshape(sliceAxis(weight, 0, tap, tap + 1), [width]));
  });
  return reshape(taps.reduce(add), [batch, places, width]);
}

/** Halves the grid: a convolution of 2 × 2 pixels with stride 2, weights `[out, in, 2, 2]`. */
function downsample(scope: ParameterScope, x: Tensor, grid: number, epsilon: { readonly epsilon: number }): Tensor {
  const [batch, , width] = x.shape as [number, number, number];
  const half = grid / 2;
  const normalized = rmsNorm(scope.in('norm'), x, epsilon);
  const cells = transpose(reshape(normalized, [batch, half, 2, half, 2, width]), [0, 1, 3, 2, 4, 5]);
  const weight = transpose(scope.in('conv').parameter('weight', [width, width, 2, 2], ones), [0, 2, 3, 1]);
  return matmul(reshape(cells, [batch, half * half, 4 * width]), reshape(weight, [width, 4 * width]), {
    transposeB: true,
  });
}

/** Doubles the grid: a transposed convolution of 2 × 2 pixels with stride 2, weights `[in, out, 2, 2]`. */
function upsample(scope: ParameterScope, x: Tensor, grid: number, epsilon: { readonly epsilon: number }): Tensor {
  const [batch, , width] = x.shape as [number, number, number];
  const normalized = rmsNorm(scope.in('norm'), x, epsilon);
  const weight = transpose(scope.in('conv').parameter('weight', [width, width, 2, 2], ones), [0, 2, 3, 1]);
  const cells = matmul(normalized, reshape(weight, [width, 4 * width])); //                 [batch, places, 4 · width]
  const pixels = transpose(reshape(cells, [batch, grid, grid, 2, 2, width]), [0, 1, 3, 2, 4, 5]);
  return reshape(pixels, [batch, 4 * grid * grid, width]);
}
