/** The VQ-GAN (Esser et al. 2021) as functions from graph to graph; parameters are named as in Taming's checkpoints. */
import { ConfigError } from '@dalle-mini/core';
import { type Graph, gather, input, ParameterScope, reshape, type Shape, type Tensor } from '@dalle-mini/graph';
import { conv } from '@dalle-mini/graph/layers';
import { decoder, encoder } from './autoencoder.js';
import { gridSizeOf, type VqganConfig } from './config.js';
import { chooseTokens, codebook, type Quantized, type QuantizeOptions, quantize, rowsToPixels } from './quantizer.js';

/**
 * Encodes images `[batch, 3, size, size]` in `pixelRange` to vectors before quantization, `[batch, embedDim, grid, grid]`.
 *
 * @throws ConfigError if the model is a decoder only.
 */
export function encodeToVectors(scope: ParameterScope, images: Tensor, config: VqganConfig): Tensor {
  if (config.decoderOnly)
    throw new ConfigError('VQ-GAN config', 'decoderOnly', 'must be false to encode. Use a model that has its encoder.');
  const z = encoder(scope.in('encoder'), images, config);
  return conv(scope.in('quant_conv'), z, config.embedDim, { kernelSize: 1 });
}

/** Decodes codes `[batch, embedDim, grid, grid]` to images `[batch, 3, size, size]`, about in `pixelRange`. */
export function decodeFromVectors(scope: ParameterScope, quantized: Tensor, config: VqganConfig): Tensor {
  const z = conv(scope.in('post_quant_conv'), quantized, config.zChannels, { kernelSize: 1 });
  return decoder(scope.in('decoder'), z, config);
}

/** Encodes images `[batch, 3, size, size]` in `pixelRange` to tokens: int32 `[batch, grid²]`, in raster order. */
export function encodeImages(scope: ParameterScope, images: Tensor, config: VqganConfig): Tensor {
  const vectors = encodeToVectors(scope, images, config);
  return reshape(chooseTokens(scope.in('quantize'), vectors, config), [images.shape[0]!, -1]);
}

/**
 * Decodes tokens, int32 `[batch, grid²]`, to images `[batch, 3, size, size]`, about in `pixelRange`. Tokens may also be given as
 * `[batch, height, width]`, with more rows and columns than the model was trained with: images are then larger in proportion.
 */
export function decodeTokens(scope: ParameterScope, tokens: Tensor, config: VqganConfig): Tensor {
  const grid = gridSizeOf(config);
  const [batch, height, width] = tokens.shape.length === 3 ? tokens.shape : [tokens.shape[0], grid, grid];
  const codes = gather(codebook(scope.in('quantize'), config), reshape(tokens, [-1]));
  const quantized = rowsToPixels(codes, { shape: [batch!, config.embedDim, height, width] });
  return decodeFromVectors(scope, quantized, config);
}

/**
 * Encodes and decodes images through the codebook, and returns the reconstructions, vectors and losses for training.
 *
 * @throws ConfigError if the model is a decoder only, or its quantizer is `gumbel`.
 */
export function reconstruct(
  scope: ParameterScope,
  images: Tensor,
  config: VqganConfig,
  options: QuantizeOptions = {},
): Quantized & { readonly images: Tensor; readonly vectors: Tensor } {
  const vectors = encodeToVectors(scope, images, config);
  const result = quantize(scope.in('quantize'), vectors, config, options);
  return { ...result, vectors, images: decodeFromVectors(scope, result.quantized, config) };
}

/** Builds the graph of {@link encodeImages}: `images`, by default one, to `tokens`. */
export function encodeGraph(
  config: VqganConfig,
  shape: Shape = [1, config.inChannels, config.resolution, config.resolution],
): Graph {
  const images = input('images', shape);
  return { inputs: { images }, outputs: { tokens: encodeImages(new ParameterScope(), images, config) } };
}

/** Builds the graph of {@link decodeTokens}: `tokens`, by default those of one image, to `images`. */
export function decodeGraph(config: VqganConfig, shape: Shape = [1, gridSizeOf(config) ** 2]): Graph {
  const tokens = input('tokens', shape, 'int32');
  return { inputs: { tokens }, outputs: { images: decodeTokens(new ParameterScope(), tokens, config) } };
}

/** Returns the parameters of a VQ-GAN of these sizes, by name. Its checkpoint must contain them. */
export function vqganParameters(config: VqganConfig): ReadonlyMap<string, Tensor> {
  const scope = new ParameterScope();
  if (!config.decoderOnly) {
    encodeImages(scope, input('images', [1, config.inChannels, config.resolution, config.resolution]), config);
  }
  decodeTokens(scope, input('tokens', [1, gridSizeOf(config) ** 2], 'int32'), config);
  return scope.parameters;
}
