/** The encoder and the decoder of a VQ-GAN, block by block as in Taming Transformers' `modules/diffusionmodules/model.py`. */
import {
  add,
  inLayer,
  matmul,
  mean,
  mul,
  type ParameterScope,
  reshape,
  softmax,
  swish,
  type Tensor,
} from '@dalle-mini/graph';
import { conv, groupNorm, upsampleConv } from '@dalle-mini/graph/layers';
import type { VqganConfig } from './config.js';

/** Encodes images `[batch, 3, size, size]` in [−1, 1], or their reduced copies if the decoder has more levels, to `[batch, zChannels, grid, grid]`. */
export function encoder(scope: ParameterScope, x: Tensor, config: VqganConfig): Tensor {
  const { ch, chMult, decoderChMult = chMult, numResBlocks, zChannels, resolution } = config;
  const scale = 2 ** (decoderChMult.length - chMult.length);
  let h = conv(scope.in('conv_in'), scale > 1 ? meanOfSquares(x, scale) : x, ch);
  for (const [level, multiple] of chMult.entries()) {
    const down = scope.in('down').in(level);
    for (let block = 0; block < numResBlocks; block++) {
      h = residualBlock(down.in('block').in(block), h, ch * multiple, config);
      if (hasAttention(resolution / scale, level, config)) h = attentionBlock(down.in('attn').in(block), h, config);
    }
    if (level < chMult.length - 1) h = downsampleBlock(down.in('downsample'), h);
  }
  h = middle(scope.in('mid'), h, config);
  return conv(scope.in('conv_out'), swish(norm(scope.in('norm_out'), h, config)), zChannels);
}

/** Decodes `[batch, zChannels, grid, grid]` to images `[batch, 3, size, size]`, about in [−1, 1]. */
export function decoder(scope: ParameterScope, z: Tensor, config: VqganConfig): Tensor {
  const { ch, chMult, decoderChMult = chMult, numResBlocks, inChannels, resolution } = config;
  let h = conv(scope.in('conv_in'), z, ch * decoderChMult.at(-1)!);
  h = middle(scope.in('mid'), h, config);
  for (let level = decoderChMult.length - 1; level >= 0; level--) {
    const up = scope.in('up').in(level);
    for (let block = 0; block <= numResBlocks; block++) {
      h = residualBlock(up.in('block').in(block), h, ch * decoderChMult[level]!, config);
      if (hasAttention(resolution, level, config)) h = attentionBlock(up.in('attn').in(block), h, config);
    }
    if (level > 0) h = upsampleConv(up.in('upsample').in('conv'), h, h.shape[1]!);
  }
  return conv(scope.in('conv_out'), swish(norm(scope.in('norm_out'), h, config)), inChannels);
}

/** Checks whether a level has attention. This depends on the trained resolution, because a decoder also accepts larger grids. */
function hasAttention(resolution: number, level: number, { attnResolutions }: VqganConfig): boolean {
  return attnResolutions.includes(resolution / 2 ** level);
}

/** Reduces images by the means of squares of `size` × `size` pixels. */
function meanOfSquares(x: Tensor, size: number): Tensor {
  const [batch, channels, height, width] = x.shape as [number, number, number, number];
  const squares = reshape(x, [batch, channels, height / size, size, width / size, size]);
  return reshape(mean(squares, { axes: [3, 5] }), [batch, channels, height / size, width / size]);
}

function middle(scope: ParameterScope, x: Tensor, config: VqganConfig): Tensor {
  const channels = x.shape[1]!;
  let h = residualBlock(scope.in('block_1'), x, channels, config);
  if (config.midAttention ?? true) h = attentionBlock(scope.in('attn_1'), h, config);
  return residualBlock(scope.in('block_2'), h, channels, config);
}

function residualBlock(scope: ParameterScope, x: Tensor, outChannels: number, config: VqganConfig): Tensor {
  return inLayer(scope.path, () => {
    let h = conv(scope.in('conv1'), swish(norm(scope.in('norm1'), x, config)), outChannels);
    h = conv(scope.in('conv2'), swish(norm(scope.in('norm2'), h, config)), outChannels);
    const shortcut = x.shape[1] === outChannels ? x : conv(scope.in('nin_shortcut'), x, outChannels, { kernelSize: 1 });
    return add(shortcut, h);
  });
}

/** Applies self-attention with one head over all pixels. */
function attentionBlock(scope: ParameterScope, x: Tensor, config: VqganConfig): Tensor {
  return inLayer(scope.path, () => {
    const [batch, channels, height, width] = x.shape as [number, number, number, number];
    const h = norm(scope.in('norm'), x, config);
    const project = (name: string) =>
      reshape(conv(scope.in(name), h, channels, { kernelSize: 1 }), [batch, channels, height * width]);
    const scores = mul(matmul(project('q'), project('k'), { transposeA: true }), channels ** -0.5);
    const attended = matmul(project('v'), softmax(scores), { transposeB: true });
    return add(x, conv(scope.in('proj_out'), reshape(attended, x.shape), channels, { kernelSize: 1 }));
  });
}

function downsampleBlock(scope: ParameterScope, x: Tensor): Tensor {
  // Taming pads on the right and at the bottom only.
  return conv(scope.in('conv'), x, x.shape[1]!, { stride: 2, padding: [0, 0, 1, 1] });
}

function norm(scope: ParameterScope, x: Tensor, config: VqganConfig): Tensor {
  return groupNorm(scope, x, config.normGroups ?? 32);
}
