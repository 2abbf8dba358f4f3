/** Trains the models of browser-models.ts with jax-js. */
import { initializeParameters } from '@dalle-mini/graph/initializers';
import type { TrainingGraph } from '@dalle-mini/graph/training';
import { batchOf, heads, learningRate, type WebModelName, webModels } from './browser-models.js';

/** An array of jax-js. A function that takes it takes its ownership: `ref` is one more reference. */
interface JaxArray {
  readonly ref: JaxArray;
  readonly shape: number[];
  add(other: JaxArray | number): JaxArray;
  sub(other: JaxArray | number): JaxArray;
  mul(other: JaxArray | number): JaxArray;
  div(other: JaxArray | number): JaxArray;
  reshape(shape: readonly number[]): JaxArray;
  data(): Promise<Float32Array>;
}
type Tree = Record<string, JaxArray>;

/** What is used of `@jax-js/jax`. */
interface Jax {
  init(device: string): Promise<readonly string[]>;
  defaultDevice(device: string): string;
  readonly numpy: {
    array(values: Float32Array): JaxArray;
    full(shape: readonly number[], value: number): JaxArray;
    matmul(a: JaxArray, b: JaxArray): JaxArray;
    transpose(a: JaxArray): JaxArray;
    mean(a: JaxArray): JaxArray;
    square(a: JaxArray): JaxArray;
    sqrt(a: JaxArray): JaxArray;
  };
  readonly nn: {
    gelu(x: JaxArray, options: { approximate: boolean }): JaxArray;
    standardize(x: JaxArray, axis: number): JaxArray;
    dotProductAttention(q: JaxArray, k: JaxArray, v: JaxArray, options: { isCausal: boolean }): JaxArray;
  };
  readonly tree: { ref(tree: Tree): Tree };
  jit<Arguments extends unknown[], Result>(run: (...args: Arguments) => Result): (...args: Arguments) => Result;
  valueAndGrad(loss: (parameters: Tree) => JaxArray): (parameters: Tree) => [JaxArray, Tree];
}

/** Returns a function that takes a step and returns the loss. */
export async function jaxStep(
  url: string,
  device: string,
  name: WebModelName,
  training: Pick<TrainingGraph, 'parameters'>,
): Promise<() => Promise<number>> {
  const jax = (await import(url)) as Jax;
  const found = await jax.init(device);
  if (!found.includes(device)) throw new Error(`jax-js has no device ${device} in this browser.`);
  jax.defaultDevice(device);
  const { numpy: np, nn } = jax;

  const linear = (p: Tree, layer: string, x: JaxArray) =>
    np.matmul(x, np.transpose(p[`${layer}.weight`]!)).add(p[`${layer}.bias`]!);
  const norm = (p: Tree, layer: string, x: JaxArray) =>
    nn.standardize(x, -1).mul(p[`${layer}.weight`]!).add(p[`${layer}.bias`]!);
  const gelu = (x: JaxArray) => nn.gelu(x, { approximate: false });
  const models: Record<WebModelName, (p: Tree, x: JaxArray) => JaxArray> = {
    mlp: (p, x) => linear(p, 'out', gelu(linear(p, 'into', x))),
    block(p, x) {
      const { shape } = x;
      const h = norm(p, 'attention_norm', x.ref);
      const split = [...shape.slice(0, 2), heads, shape[2]! / heads];
      const [q, k, v] = [linear(p, 'q', h.ref), linear(p, 'k', h.ref), linear(p, 'v', h)].map((t) => t.reshape(split));
      const attended = nn.dotProductAttention(q!, k!, v!, { isCausal: true }).reshape(shape);
      const y = x.add(linear(p, 'attention_out', attended));
      return y.ref.add(linear(p, 'mlp_out', gelu(linear(p, 'mlp_in', norm(p, 'mlp_norm', y)))));
    },
  };
  const names = [...training.parameters.keys()];
  const map = (compute: (name: string) => JaxArray) => Object.fromEntries(names.map((name) => [name, compute(name)]));
  const [beta1, beta2, epsilon] = [0.9, 0.999, 1e-8];
  /** Adam, with the corrections of the bias as factors, as here. */
  const step = jax.jit((p: Tree, m: Tree, v: Tree, x: JaxArray, target: JaxArray, rate: JaxArray, small: JaxArray) => {
    const loss = (q: Tree) => np.mean(np.square(models[name](q, x).sub(target)));
    const [value, g] = jax.valueAndGrad(loss)(jax.tree.ref(p));
    const means = map((key) => m[key]!.mul(beta1).add(g[key]!.ref.mul(1 - beta1)));
    const squares = map((key) => v[key]!.mul(beta2).add(np.square(g[key]!).mul(1 - beta2)));
    const change = (key: string) => means[key]!.ref.mul(rate.ref).div(np.sqrt(squares[key]!.ref).add(small.ref));
    const next = map((key) => p[key]!.sub(change(key)));
    return { value, p: next, m: means, v: squares };
  });

  const { input, output } = webModels[name];
  const batch = batchOf(webModels[name]);
  const [x, target] = [np.array(batch.x).reshape(input), np.array(batch.target).reshape(output)];
  const initial = initializeParameters(training.parameters, 0);
  let [p, m, v] = [
    map((key) => np.array(initial.get(key)!.data as Float32Array).reshape(training.parameters.get(key)!.shape)),
    ...[0, 1].map(() => map((key) => np.full(training.parameters.get(key)!.shape, 0))),
  ] as [Tree, Tree, Tree];
  let taken = 0;
  return async () => {
    taken++;
    const [correction1, correction2] = [1 - beta1 ** taken, Math.sqrt(1 - beta2 ** taken)];
    const scalar = (value: number) => np.array(Float32Array.of(value)).reshape([]);
    const rate = scalar((learningRate * correction2) / correction1);
    const result = step(p, m, v, x.ref, target.ref, rate, scalar(correction2 * epsilon));
    ({ p, m, v } = result);
    return (await result.value.data())[0]!;
  };
}
