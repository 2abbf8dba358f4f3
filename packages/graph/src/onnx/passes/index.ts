import { scatterCacheUpdates } from './cache-update.js';
import { convolveInputGradients, correlateWeightGradients } from './conv-gradients.js';
import { scaleGroupsByConvolution } from './group-norm.js';
import { fuseLayerNorms } from './layer-norm.js';
import type { Pass } from './pass.js';
import { scaleQueriesByVector } from './query-scale.js';
import { convolveSubPixels } from './sub-pixel-conv.js';
import { webgpuPasses } from './webgpu.js';
import { convolveByWinograd, convolveInputGradientsByWinograd } from './winograd.js';

/** Rewrites for speed, which do not change the results. If several passes rewrite the same operation, the first one wins. */
export const onnxPasses: readonly Pass[] = [
  fuseLayerNorms,
  scaleQueriesByVector,
  scatterCacheUpdates,
  convolveByWinograd,
  convolveInputGradientsByWinograd,
  convolveSubPixels,
  scaleGroupsByConvolution,
  convolveInputGradients,
  correlateWeightGradients,
];

/** The passes for the WebGPU execution provider. Without `correlateWeightGradients`, which uses FusedMatMul. */
export const passesForWebGpu: readonly Pass[] = [
  ...webgpuPasses,
  ...onnxPasses.filter((pass) => pass !== correlateWeightGradients),
];
