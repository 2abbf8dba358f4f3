/** The models that browser.ts trains here and with jax-js (`browser-jax.ts`), and their data. */
import { createRandom } from '@dalle-mini/core';
import { add, gelu, type ParameterScope, type Shape, sizeOf, type Tensor } from '@dalle-mini/graph';
import {
  causalMask,
  dotProductAttention,
  layerNorm,
  linear,
  meanSquaredError,
  mergeHeads,
  splitHeads,
} from '@dalle-mini/graph/layers';

export const learningRate = 1e-3;
export const heads = 4;

export type WebModelName = 'mlp' | 'block';

export interface WebModel {
  readonly input: Shape;
  readonly output: Shape;
  compute(scope: ParameterScope, x: Tensor): Tensor;
}

/** Two layers with an activation between them, and a transformer block of nanoGPT's form. The loss is the mean squared error. */
export const webModels: Readonly<Record<WebModelName, WebModel>> = {
  mlp: {
    input: [128, 784],
    output: [128, 10],
    compute: (scope, x) => linear(scope.in('out'), gelu(linear(scope.in('into'), x, 512)), 10),
  },
  block: {
    input: [8, 64, 256],
    output: [8, 64, 256],
    compute(scope, x) {
      const width = x.shape[2]!;
      const h = layerNorm(scope.in('attention_norm'), x);
      const [q, k, v] = ['q', 'k', 'v'].map((name) => splitHeads(linear(scope.in(name), h, width), heads));
      const attended = mergeHeads(dotProductAttention(q!, k!, v!, causalMask(x.shape[1]!)));
      const y = add(x, linear(scope.in('attention_out'), attended, width));
      const hidden = gelu(linear(scope.in('mlp_in'), layerNorm(scope.in('mlp_norm'), y), 4 * width));
      return add(y, linear(scope.in('mlp_out'), hidden, width));
    },
  },
};

export const lossOf = ({ compute }: WebModel, scope: ParameterScope, { x, target }: Readonly<Record<string, Tensor>>) =>
  meanSquaredError(compute(scope, x!), target!);

/** The batch that every step trains on. */
export function batchOf({ input, output }: WebModel): { readonly x: Float32Array; readonly target: Float32Array } {
  const random = createRandom(0, 1);
  const values = (shape: Shape) => Float32Array.from({ length: sizeOf(shape) }, () => random.normal());
  return { x: values(input), target: values(output) };
}
