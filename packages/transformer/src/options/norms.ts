/** Where layers normalize. The default is `normformer`: before and after attention, before and inside the feed-forward layer. */
import { add, mul, type ParameterScope, type Tensor } from '@dalle-mini/graph';
import { layerNorm, rmsNorm } from '@dalle-mini/graph/layers';
import type { Stack } from '../stack.js';

/** Half of a layer. */
export type Half = 'attention' | 'feedForward';

/** `after sum`: after the residual connection. */
export type NormPlace = 'before' | 'inside' | 'after' | 'after sum';

const placement: Record<Stack['normPositions'], Record<Half, readonly NormPlace[]>> = {
  normformer: { attention: ['before', 'after'], feedForward: ['before', 'inside'] },
  cogview: { attention: ['before', 'after'], feedForward: ['before', 'after'] },
  preln: { attention: ['before'], feedForward: ['before'] },
  subln: { attention: ['before', 'inside'], feedForward: ['before', 'inside'] },
  swinv2: { attention: ['after'], feedForward: ['after'] },
  postln: { attention: ['after sum'], feedForward: ['after sum'] },
};

/** Where a half of the layers of a stack has its norms, as published. The decoder of `subln` has none before attention. */
export function normPlaces(
  { kind, normPositions }: Pick<Stack, 'kind' | 'normPositions'>,
  half: Half,
): readonly NormPlace[] {
  if (normPositions === 'subln' && kind === 'decoder' && half === 'attention') return ['inside'];
  return placement[normPositions][half];
}

/** LayerNorm or RMSNorm over the last axis; LayerNorm always has a bias. */
export function norm(scope: ParameterScope, { norm }: Stack, x: Tensor, scale: boolean): Tensor {
  return (norm === 'rmsnorm' ? rmsNorm : layerNorm)(scope, x, { scale, epsilon: 1e-5 });
}

/** The norm before a half of a layer. Linear layers follow it, which can scale in its stead. */
export function normBefore(scope: ParameterScope, stack: Stack, half: Half, x: Tensor): Tensor {
  return normPlaces(stack, half).includes('before') ? norm(scope, stack, x, stack.forceNormScale) : x;
}

/** The norm inside of a half, before its last linear layer. */
export function normInside(scope: ParameterScope, stack: Stack, half: Half, x: Tensor): Tensor {
  const scale = half === 'attention' || stack.forceNormScale;
  return normPlaces(stack, half).includes('inside') ? norm(scope, stack, x, scale) : x;
}

/** x + norm(h), with the norm where the configuration has it: the end of the attention half. */
export function addAttention(scope: ParameterScope, stack: Stack, x: Tensor, h: Tensor): Tensor {
  const places = normPlaces(stack, 'attention');
  const sum = addResidual(stack, x, places.includes('after') ? norm(scope, stack, h, true) : h);
  return places.includes('after sum') ? norm(scope, stack, sum, true) : sum;
}

/** x + h, with the norms that the configuration has: the end of the feed-forward half of a layer. */
export function addFeedForward(scope: ParameterScope, stack: Stack, layer: number, x: Tensor, h: Tensor): Tensor {
  const places = normPlaces(stack, 'feedForward');
  const after = places.includes('after') ? norm(scope.in('glu').in('ln2'), stack, h, true) : h;
  const sum = addResidual(stack, x, after);
  // Swin v2 normalizes the main branch after every sixth layer (Liu et al. 2022); the last has the final norm.
  const isSwinNorm = stack.normPositions === 'swinv2' && (layer + 1) % 6 === 0 && layer !== stack.layers - 1;
  const normalized = places.includes('after sum') || isSwinNorm;
  return normalized ? norm(scope.in('final_layer_norm'), stack, sum, true) : sum;
}

/** The norm after the last layer, if there is one. */
export function finalNorm(scope: ParameterScope, stack: Stack, x: Tensor): Tensor {
  const { finalNorm, normPositions, forceNormScale } = stack;
  return finalNorm && normPositions !== 'postln' ? norm(scope, stack, x, forceNormScale) : x;
}

/** α · x + h, where α is 1 without DeepNet's scaling. */
function addResidual({ residualGain }: Stack, x: Tensor, h: Tensor): Tensor {
  return add(residualGain === 1 ? x : mul(x, residualGain), h);
}
