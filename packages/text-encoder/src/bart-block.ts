/**
 * What DALL·E Mini's text encoder and its decoder have in common: the layers of `modeling.py` of the published code, with all
 * of its options. Parameters are named as in kuprel/min-dalle, and those that it lacks as in the published code.
 */
import {
  add,
  div,
  dotProductAttention,
  embedding,
  exp,
  type Initializer,
  layerNorm,
  linear,
  log,
  matmul,
  max,
  maximum,
  mergeHeads,
  mul,
  normal,
  ones,
  type ParameterScope,
  reshape,
  rmsNorm,
  select,
  sliceAxis,
  softmax,
  splitHeads,
  sqrt,
  square,
  stopGradient,
  sub,
  sum,
  type Tensor,
  transpose,
} from '@dalle-mini/graph';
import { activations } from './activations.js';

/** What the options that are names may be. */
export const bartChoices = {
  normPositions: ['normformer', 'preln', 'postln', 'cogview', 'swinv2', 'subln'],
  norm: ['layernorm', 'rmsnorm'],
  activation: ['gelu', 'gelu_new', 'quick_gelu', 'relu', 'silu', 'smelu', 'swish'],
} as const;

/** Where a transformer block normalizes: the `ln_positions` of DALL·E Mini's published code. */
export type NormPositions = (typeof bartChoices.normPositions)[number];

/** An activation of the published code. `silu` is `swish`. */
export type BartActivation = (typeof bartChoices.activation)[number];

/** The sizes and options of a stack of layers. Options that are left out have DALL·E Mini's published values. */
export interface BartBlockConfig {
  /** Width of the hidden states (`d_model`). */
  readonly width: number;
  readonly layers: number;
  readonly heads: number;
  /** Width inside the feed-forward layers. */
  readonly feedForwardWidth: number;
  /** Default `normformer` (Shleifer et al. 2021): before and after attention, before and inside the feed-forward layer. */
  readonly normPositions?: NormPositions;
  /** Default `layernorm`. */
  readonly norm?: (typeof bartChoices.norm)[number];
  /** Whether norms that a linear layer follows have a scale too. Default false: the linear layer can do its work. */
  readonly forceNormScale?: boolean;
  /** Whether the last hidden states are normalized. Default true, which `postln` always does. */
  readonly finalNorm?: boolean;
  /** Whether the feed-forward layer is a gated linear unit (Shazeer 2020). Default true. */
  readonly gated?: boolean;
  /** Default `gelu`, which is exact. */
  readonly activation?: BartActivation;
  /** Whether linear layers have a bias. Default false. */
  readonly bias?: boolean;
  /** Whether each head's result has a learned scale (NormFormer's HeadScale). Default false. */
  readonly headScale?: boolean;
  /** Whether token embeddings are multiplied by √width. Default false. */
  readonly scaleEmbedding?: boolean;
  /** Whether each position has a learned embedding. Default true. */
  readonly absolutePositions?: boolean;
  /** Whether attention has a learned bias for each pair of positions and each head, as in Swin (Liu et al. 2021). Default false. */
  readonly relativePositions?: boolean;
  /** Whether attention goes by the cosine of queries and keys, as in Swin v2 (Liu et al. 2022). Default false. */
  readonly cosineAttention?: boolean;
  /** What cosines are divided by; not learned. Default 0.05. */
  readonly tau?: number;
  /** Whether residual branches and first weights are scaled as in DeepNet (Wang et al. 2022), by the depths. Default false. */
  readonly deepnetScaling?: boolean;
  /** Whether first weights are scaled as in sub-LN (Magneto, Wang et al. 2022), where DeepNet's scaling is not. Default false. */
  readonly sublnInit?: boolean;
  /** Standard deviation of the first weights. Default 0.02. */
  readonly initStd?: number;
}

/** A configuration with what follows from the stack that it is of. */
export interface BartBlock extends BartBlockConfig {
  readonly stack: 'encoder' | 'decoder';
  readonly gains: BartGains;
}

export interface BartGains {
  /** What the residual branch is multiplied by: DeepNet's α. */
  readonly residual: number;
  /** What first weights are multiplied by: DeepNet's β, or sub-LN's γ. */
  readonly initial: number;
}

/** @throws RangeError that says which field of what (such as `decoder config`) must be something else than it is. */
export function refuseField(what: string, config: object, field: string, wanted: string): never {
  const value = (config as Record<string, unknown>)[field];
  // Not JSON for numbers, where NaN would be null.
  const given = typeof value === 'number' ? value : JSON.stringify(value);
  throw new RangeError(`${what}: ${field} must be ${wanted}, not ${given}`);
}

/** @throws RangeError that names the first of some fields that is not a positive whole number. */
export function checkSizes<Config extends object>(
  what: string,
  config: Config,
  fields: readonly (keyof Config & string)[],
): void {
  for (const field of fields) {
    const value = config[field];
    if (!Number.isSafeInteger(value) || (value as number) < 1)
      refuseField(what, config, field, 'a positive whole number');
  }
}

/**
 * Checks what encoder and decoder have in common, of a configuration read from a file.
 *
 * @throws RangeError that names the field, what it may be, and what it is.
 */
export function checkBartBlock(what: string, config: BartBlockConfig): void {
  checkSizes(what, config, ['width', 'layers', 'heads', 'feedForwardWidth']);
  if (config.width % config.heads !== 0) refuseField(what, config, 'width', `a multiple of the ${config.heads} heads`);
  for (const field of ['normPositions', 'norm', 'activation'] as const) {
    const allowed: readonly unknown[] = bartChoices[field];
    if (config[field] !== undefined && !allowed.includes(config[field]))
      refuseField(what, config, field, `one of ${allowed.join(', ')}`);
  }
  for (const field of [
    'forceNormScale',
    'finalNorm',
    'gated',
    'bias',
    'headScale',
    'scaleEmbedding',
    'absolutePositions',
    'relativePositions',
    'cosineAttention',
    'deepnetScaling',
    'sublnInit',
  ] as const) {
    if (config[field] !== undefined && typeof config[field] !== 'boolean')
      refuseField(what, config, field, 'true or false');
  }
  for (const field of ['tau', 'initStd'] as const) {
    const value = config[field];
    if (value !== undefined && !(typeof value === 'number' && value > 0 && Number.isFinite(value)))
      refuseField(what, config, field, 'a number above 0');
  }
  // As the published code demands: the last block's norm is the final one.
  if (config.normPositions === 'postln' && config.finalNorm === false)
    refuseField(what, config, 'finalNorm', 'true where normPositions is postln');
}

/** The gains of an encoder of N layers and a decoder of M, as published: DeepNet's table 1, and sub-LN's. */
export function bartGains(
  stack: 'encoder' | 'decoder',
  { deepnetScaling = false, sublnInit = false }: BartBlockConfig,
  depths: { readonly encoder: number; readonly decoder: number },
): BartGains {
  const { encoder: n, decoder: m } = depths;
  const ofStack = {
    encoder: {
      residual: 0.81 * (n ** 4 * m) ** 0.0625,
      deepnet: 0.87 * (n ** 4 * m) ** -0.0625,
      subln: Math.sqrt((Math.log(3 * m) * Math.log(2 * n)) / 3),
    },
    decoder: { residual: (3 * m) ** 0.25, deepnet: (12 * m) ** -0.25, subln: Math.sqrt(Math.log(3 * m)) },
  }[stack];
  if (deepnetScaling) return { residual: ofStack.residual, initial: ofStack.deepnet };
  return { residual: 1, initial: sublnInit ? ofStack.subln : 1 };
}

/**
 * Token ids int32 `[batch, length]` at positions int32 `[length]` or `[batch, length]` to the hidden states `[batch, length, width]` that the first
 * layer takes.
 */
export function bartEmbeddings(
  scope: ParameterScope,
  block: BartBlock,
  tokens: Tensor,
  positions: Tensor,
  rows: { readonly tokens: number; readonly positions: number },
): Tensor {
  const { width, scaleEmbedding = false, absolutePositions = true } = block;
  const embedded = embedding(scope.in('embed_tokens'), tokens, rows.tokens, width, bartInitializer(block));
  let x = scaleEmbedding ? mul(embedded, Math.sqrt(width)) : embedded;
  if (absolutePositions)
    x = add(x, embedding(scope.in('embed_positions'), positions, rows.positions, width, bartInitializer(block)));
  return bartNorm(scope.in('layernorm_embedding'), block, x, true);
}

/** The norm after the last layer, where there is one. */
export function bartFinalNorm(scope: ParameterScope, block: BartBlock, x: Tensor): Tensor {
  const { finalNorm = true, normPositions, forceNormScale = false } = block;
  return finalNorm && normPositions !== 'postln' ? bartNorm(scope.in('final_ln'), block, x, forceNormScale) : x;
}

/** Where a block of each kind has its norms. */
export type NormPlace = 'before' | 'inside' | 'after' | 'after sum';

const placement: Record<NormPositions, { attention: readonly NormPlace[]; feedForward: readonly NormPlace[] }> = {
  normformer: { attention: ['before', 'after'], feedForward: ['before', 'inside'] },
  cogview: { attention: ['before', 'after'], feedForward: ['before', 'after'] },
  preln: { attention: ['before'], feedForward: ['before'] },
  subln: { attention: ['before', 'inside'], feedForward: ['before', 'inside'] },
  swinv2: { attention: ['after'], feedForward: ['after'] },
  postln: { attention: ['after sum'], feedForward: ['after sum'] },
};

/**
 * Where a stack has its norms, as published. The decoder of `subln` has none before attention; and none inside of
 * cross-attention, which {@link bartAttentionOutput} sees to.
 */
export function normPlacesOf({ stack, normPositions = 'normformer' }: Pick<BartBlock, 'stack' | 'normPositions'>): {
  attention: readonly NormPlace[];
  feedForward: readonly NormPlace[];
} {
  const places = placement[normPositions];
  return normPositions === 'subln' && stack === 'decoder' ? { ...places, attention: ['inside'] } : places;
}

/** The attention half of a layer, α x + norm(f(norm(x))), with the norms that the configuration has, of this name. */
export function bartResidual(
  scope: ParameterScope,
  name: string,
  block: BartBlock,
  x: Tensor,
  f: (h: Tensor) => Tensor,
): Tensor {
  const places = normPlacesOf(block).attention;
  let h = places.includes('before') ? bartNorm(scope.in(`pre_${name}`), block, x, block.forceNormScale ?? false) : x;
  h = f(h);
  if (places.includes('after')) h = bartNorm(scope.in(name), block, h, true);
  const sum = addResidual(block, x, h);
  return places.includes('after sum') ? bartNorm(scope.in(name), block, sum, true) : sum;
}

/** Keys and values of one layer's attention, each `[batch, heads, length, size]`. */
export interface KeysAndValues {
  readonly keys: Tensor;
  readonly values: Tensor;
}

/** Queries `[batch, heads, length, size]` of hidden states, for attention that divides by √size. */
export function bartQueries(scope: ParameterScope, block: BartBlock, x: Tensor): Tensor {
  const { width, heads, cosineAttention = false, tau = 0.05 } = block;
  const queries = splitHeads(bartLinear(scope.in('q_proj'), block, x, width), heads);
  return cosineAttention ? mul(unit(queries), Math.sqrt(width / heads) / tau) : queries;
}

/** Keys and values of hidden states of any width. `kind` matters to their first values only. */
export function bartKeysAndValues(
  scope: ParameterScope,
  block: BartBlock,
  x: Tensor,
  kind: 'self' | 'cross',
): KeysAndValues {
  const { width, heads, cosineAttention = false } = block;
  const keys = splitHeads(bartLinear(scope.in('k_proj'), block, x, width), heads);
  const values = splitHeads(bartLinear(scope.in('v_proj'), block, x, width, { gain: gainOf(block, kind) }), heads);
  return { keys: cosineAttention ? unit(keys) : keys, values };
}

/**
 * What attention adds to its scores for each pair of positions, where the configuration has relative positions: `[1, heads, m, keys]`
 * for queries at positions int32 `[m]` among `rows.queries`, and keys at the first `keys` of `rows.keys` positions.
 */
export function bartPositionBias(
  scope: ParameterScope,
  { heads, relativePositions = false, ...block }: BartBlock,
  positions: Tensor,
  rows: { readonly queries: number; readonly keys: number },
  keys = rows.keys,
): Tensor | undefined {
  if (!relativePositions) return undefined;
  const biases = embedding(scope.in('rel_bias'), positions, rows.queries, rows.keys * heads, bartInitializer(block));
  const ofPairs = sliceAxis(reshape(biases, [-1, rows.keys, heads]), 1, 0, keys);
  return reshape(transpose(ofPairs, [2, 0, 1]), [1, heads, -1, keys]);
}

/**
 * softmax(q · kᵀ / √size + bias) · v for each head: queries `[batch, heads, m, size]`, keys and values `[batch, heads, n, size]`.
 * Mask and bias broadcast to `[batch, heads, m, n]`; only where the mask is true is attended to.
 *
 * More than one iteration is Sinkhorn's normalization (Sander et al. 2022): the weights' rows, then their columns, then their
 * rows, … are made to sum to 1. Columns mix what later positions attend to into earlier ones, so it is not for a decoder.
 */
export function bartAttend(
  queries: Tensor,
  { keys, values }: KeysAndValues,
  mask: Tensor,
  { bias, sinkhornIterations = 1 }: { readonly bias?: Tensor; readonly sinkhornIterations?: number } = {},
): Tensor {
  if (!bias && sinkhornIterations === 1) return dotProductAttention(queries, keys, values, mask);
  const size = queries.shape.at(-1)!;
  const products = matmul(mul(queries, 1 / Math.sqrt(size)), keys, { transposeB: true });
  const masked = (scores: Tensor) => select(mask, scores, MASKED);
  let scores = masked(bias ? add(products, bias) : products);
  if (sinkhornIterations === 1) return matmul(softmax(scores), values);
  for (let i = 0; i < sinkhornIterations; i++) {
    scores = masked(sub(scores, logSumExp(scores, i % 2 === 0 ? -1 : -2)));
  }
  return matmul(exp(scores), values);
}

/** Not −∞: a row or a column of padding alone must give numbers, and −∞ − −∞ gives none. */
const MASKED = -1e9;

function logSumExp(x: Tensor, axis: number): Tensor {
  const options = { axes: [axis], keepDims: true };
  const greatest = stopGradient(max(x, options));
  return add(greatest, log(sum(exp(sub(x, greatest)), options)));
}

/** What the heads attended to, `[batch, heads, length, size]`, to `[batch, length, width]`. */
export function bartAttentionOutput(
  scope: ParameterScope,
  block: BartBlock,
  attended: Tensor,
  kind: 'self' | 'cross',
): Tensor {
  const { headScale = false, heads, width } = block;
  const scaled = headScale
    ? mul(attended, reshape(scope.parameter('head_scale', [heads], ones), [heads, 1, 1]))
    : attended;
  const merged = mergeHeads(scaled);
  const normalized = kind === 'self' && normPlacesOf(block).attention.includes('inside');
  const h = normalized ? bartNorm(scope.in('mid_layernorm'), block, merged, true) : merged;
  return bartLinear(scope.in('out_proj'), block, h, width, { gain: gainOf(block, kind) });
}

/** The feed-forward half of a layer. */
export function bartFeedForward(scope: ParameterScope, block: BartBlock, x: Tensor, layer: number): Tensor {
  const { feedForwardWidth, width, gated = true, forceNormScale = false, layers, normPositions } = block;
  const places = normPlacesOf(block).feedForward;
  const half = scope.in('glu');
  const gain = block.gains.initial;
  const widened = (name: string, h: Tensor) => bartLinear(half.in(name), block, h, feedForwardWidth, { gain });
  let h = places.includes('before') ? bartNorm(half.in('ln0'), block, x, forceNormScale) : x;
  h = gated ? mul(activation(block, widened('fc0', h)), widened('fc1', h)) : activation(block, widened('fc1', h));
  if (places.includes('inside')) h = bartNorm(half.in('ln1'), block, h, forceNormScale);
  h = bartLinear(half.in('fc2'), block, h, width, { gain });
  if (places.includes('after')) h = bartNorm(half.in('ln2'), block, h, true);
  const sum = addResidual(block, x, h);
  // Swin v2 normalizes the main branch after every sixth layer (Liu et al. 2022); the last has the final norm.
  const isSwinNorm = normPositions === 'swinv2' && (layer + 1) % 6 === 0 && layer !== layers - 1;
  return places.includes('after sum') || isSwinNorm ? bartNorm(scope.in('final_layer_norm'), block, sum, true) : sum;
}

function addResidual({ gains }: BartBlock, x: Tensor, h: Tensor): Tensor {
  return add(gains.residual === 1 ? x : mul(x, gains.residual), h);
}

/** Sub-LN scales the first weights of cross-attention no more than usual; DeepNet scales all. */
function gainOf({ gains, deepnetScaling = false }: BartBlock, kind: 'self' | 'cross'): number {
  return kind === 'cross' && !deepnetScaling ? 1 : gains.initial;
}

/** Divided by its length, as published: with 1e-8 added to the length. */
function unit(x: Tensor): Tensor {
  // Zeros, which hidden states at padding may be, have no gradient by √0; and 1e-15 is nothing beside 1e-8.
  const squares = maximum(sum(square(x), { axes: [-1], keepDims: true }), 1e-30);
  return div(x, add(sqrt(squares), 1e-8));
}

function activation(block: BartBlock, x: Tensor): Tensor {
  return activations[block.activation ?? 'gelu'](x);
}

/** LayerNorm or RMSNorm over the last axis; LayerNorm always has a bias. */
export function bartNorm(scope: ParameterScope, block: BartBlock, x: Tensor, scale: boolean): Tensor {
  return block.norm === 'rmsnorm'
    ? rmsNorm(scope, x, { scale, epsilon: 1e-5 })
    : layerNorm(scope, x, { scale, epsilon: 1e-5 });
}

/** A linear layer of the given width, with a bias where the configuration has biases. */
export function bartLinear(
  scope: ParameterScope,
  block: Pick<BartBlock, 'bias' | 'initStd'>,
  x: Tensor,
  width: number,
  { bias = block.bias ?? false, gain = 1 }: { readonly bias?: boolean; readonly gain?: number } = {},
): Tensor {
  return linear(scope, x, width, { bias, initializer: bartInitializer(block, gain) });
}

/** How weights start: a normal distribution, and `gain` times as wide. */
export function bartInitializer({ initStd = 0.02 }: Pick<BartBlock, 'initStd'>, gain = 1): Initializer {
  return normal(gain * initStd);
}
