/** The VQ-GAN (Esser et al. 2021) as functions from graph to graph; parameters are named as in Taming's checkpoints. */
import { conv, gather, input, ParameterScope, reshape, type Tensor } from '@dalle-mini/graph';
import { decoder, encoder } from './autoencoder.js';
import { gridSizeOf, type VqganConfig } from './config.js';
import { codebook, nearestCode, pixelsToRows, type Quantized, quantize, rowsToPixels } from './quantizer.js';

/** Images `[batch, 3, size, size]` in [−1, 1] to vectors before quantization, `[batch, embedDim, grid, grid]`. */
export function encodeToVectors(scope: ParameterScope, images: Tensor, config: VqganConfig): Tensor {
  const z = encoder(scope.in('encoder'), images, config);
  return conv(scope.in('quant_conv'), z, config.embedDim, { kernelSize: 1 });
}

/** Codes `[batch, embedDim, grid, grid]` to images `[batch, 3, size, size]`, about in [−1, 1]. */
export function decodeFromVectors(scope: ParameterScope, quantized: Tensor, config: VqganConfig): Tensor {
  const z = conv(scope.in('post_quant_conv'), quantized, config.zChannels, { kernelSize: 1 });
  return decoder(scope.in('decoder'), z, config);
}

/** Images `[batch, 3, size, size]` in [−1, 1] to tokens: int32 `[batch, grid²]`, in raster order. */
export function encodeImages(scope: ParameterScope, images: Tensor, config: VqganConfig): Tensor {
  const vectors = encodeToVectors(scope, images, config);
  const tokens = nearestCode(pixelsToRows(vectors), codebook(scope.in('quantize'), config));
  return reshape(tokens, [images.shape[0]!, -1]);
}

/** Tokens, int32 `[batch, grid²]`, to images `[batch, 3, size, size]`, about in [−1, 1]. */
export function decodeTokens(scope: ParameterScope, tokens: Tensor, config: VqganConfig): Tensor {
  const grid = gridSizeOf(config);
  const codes = gather(codebook(scope.in('quantize'), config), reshape(tokens, [-1]));
  const quantized = rowsToPixels(codes, { shape: [tokens.shape[0]!, config.embedDim, grid, grid] });
  return decodeFromVectors(scope, quantized, config);
}

/** Images to images through the codebook, with what training needs. */
export function reconstruct(
  scope: ParameterScope,
  images: Tensor,
  config: VqganConfig,
): Quantized & { readonly images: Tensor; readonly vectors: Tensor } {
  const vectors = encodeToVectors(scope, images, config);
  const result = quantize(scope.in('quantize'), vectors, config);
  return { ...result, vectors, images: decodeFromVectors(scope, result.quantized, config) };
}

/** The parameters of a VQ-GAN of these sizes, by name: what its checkpoint must hold. */
export function vqganParameters(config: VqganConfig): ReadonlyMap<string, Tensor> {
  const scope = new ParameterScope();
  reconstruct(scope, input('images', [1, config.inChannels, config.resolution, config.resolution]), config);
  return scope.parameters;
}
