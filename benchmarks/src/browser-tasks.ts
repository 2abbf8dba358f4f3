/** The worker of browser.ts for what other libraries compute too: hidden states of captions, and steps of training. */
import type { Runtime, TensorData } from '@dalle-mini/graph';
import { initializeParameters } from '@dalle-mini/graph/initializers';
import { OnnxRuntimeWeb } from '@dalle-mini/graph/onnxruntime-web';
import { adam, holdState, initialState, trainingGraph } from '@dalle-mini/graph/training';
import { loadTextEncoder } from '@dalle-mini/text-encoder';
import { readSafetensors } from '@dalle-mini/weights';
import { jaxStep } from './browser-jax.js';
import { batchOf, learningRate, lossOf, type WebModelName, webModels } from './browser-models.js';
import type { EncodeTask, EncodeTimes, StepTask, StepTimes } from './measurement.js';

/** The number of tokens that all captions have, with the special ones. */
const captionLength = 16;
const caption = 'a small red apple lies on a white table in the sun';

async function encode({ library, threads, batch, rounds }: EncodeTask): Promise<EncodeTimes> {
  const captions = Array.from({ length: batch }, () => caption);
  const start = performance.now();
  const compute = await (library === 'transformers.js' ? openThere(threads) : openHere(threads, batch));
  const first = await compute(captions);
  const open_ms = performance.now() - start;
  const ms: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const before = performance.now();
    await compute(captions);
    ms.push(performance.now() - before);
  }
  return { open_ms, ms, hidden: [...first.subarray(0, 1000)] };
}

type Encode = (captions: string[]) => Promise<Float32Array>;

async function openHere(threads: number, batchSize: number): Promise<Encode> {
  const read = async (name: string) => (await fetch(`/bert/${name}`)).arrayBuffer();
  const json = async (name: string) => JSON.parse(new TextDecoder().decode(await read(name)));
  const files = {
    config: await json('config.json'),
    tokenizer: await json('tokenizer.json'),
    weights: readSafetensors(new Uint8Array(await read('model.safetensors'))).tensors,
  };
  const runtime = new OnnxRuntimeWeb({ threads, wasmPaths: '/ort/' });
  const encoder = await loadTextEncoder(files, { runtime, maxLength: captionLength, batchSize });
  return async (captions) => (await encoder.encode(captions)).hiddenStates;
}

/** What is used of transformers.js. */
interface Transformers {
  readonly env: {
    allowRemoteModels: boolean;
    allowLocalModels: boolean;
    localModelPath: string;
    useBrowserCache: boolean;
    readonly backends: { readonly onnx: { readonly wasm: { numThreads: number; wasmPaths: string } } };
  };
  readonly AutoTokenizer: {
    from_pretrained(model: string): Promise<(texts: string[], options: object) => object>;
  };
  readonly AutoModel: {
    from_pretrained(
      model: string,
      options: object,
    ): Promise<(inputs: object) => Promise<{ readonly last_hidden_state: { readonly data: Float32Array } }>>;
  };
}

async function openThere(threads: number): Promise<Encode> {
  const url = '/peers/@huggingface/transformers/dist/transformers.min.js';
  const { env, AutoTokenizer, AutoModel } = (await import(url)) as Transformers;
  Object.assign(env, {
    allowRemoteModels: false,
    allowLocalModels: true,
    localModelPath: '/',
    useBrowserCache: false,
  });
  Object.assign(env.backends.onnx.wasm, { numThreads: threads, wasmPaths: '/ort-there/' });
  const tokenizer = await AutoTokenizer.from_pretrained('bert');
  const model = await AutoModel.from_pretrained('bert', { device: 'wasm', dtype: 'fp32' });
  return async (captions) => {
    const inputs = tokenizer(captions, { padding: 'max_length', max_length: captionLength, truncation: true });
    return (await model(inputs)).last_hidden_state.data;
  };
}

async function train({ library, model: name, device, threads, steps }: StepTask): Promise<StepTimes> {
  const model = webModels[name as WebModelName];
  const training = trainingGraph({
    batch: { x: { shape: model.input, dtype: 'float32' }, target: { shape: model.output, dtype: 'float32' } },
    loss: (scope, batch) => ({ loss: lossOf(model, scope, batch) }),
    optimizer: adam(),
    stepsPerRun: 1,
  });
  // jax-js has a thread for each core that the browser names.
  Object.defineProperty(navigator, 'hardwareConcurrency', { value: threads });
  const step = await (library === 'jax-js'
    ? jaxStep('/peers/@jax-js/jax/dist/index.js', device, name as WebModelName, training)
    : stepHere(new OnnxRuntimeWeb({ device, threads, wasmPaths: '/ort/' }), name as WebModelName, training));
  const losses: number[] = [];
  const ms: number[] = [];
  for (let taken = 0; taken < steps; taken++) {
    const start = performance.now();
    losses.push(await step());
    ms.push(performance.now() - start);
  }
  return { losses, ms };
}

declare const navigator: object;

async function stepHere(
  runtime: Runtime,
  name: WebModelName,
  training: ReturnType<typeof trainingGraph>,
): Promise<() => Promise<number>> {
  const model = webModels[name];
  const parameters = initializeParameters(training.parameters, 0) as ReadonlyMap<string, { data: Float32Array }>;
  const initial = [...initialState(training, parameters)].map(([key, data]) => {
    return [key, { dtype: 'float32', shape: training.state.get(key)!, data }] as const;
  });
  const state = await holdState(await runtime.compile(training.graph), Object.fromEntries(initial));
  const { x, target } = batchOf(model);
  const value = (shape: readonly number[], data: Float32Array): TensorData => ({
    dtype: 'float32',
    shape: [1, 1, ...shape],
    data: data.slice(),
  });
  let taken = 0;
  return async () => {
    const { loss } = await state.run({
      x: value(model.input, x),
      target: value(model.output, target),
      learningRate: { dtype: 'float32', shape: [1], data: Float32Array.of(learningRate) },
      step: { dtype: 'int32', shape: [], data: Int32Array.of(taken++) },
    });
    return loss!.data[0]!;
  };
}

const tasks = { encode, train } as Readonly<Record<string, (options: never) => Promise<unknown>>>;

const scope = globalThis as unknown as {
  postMessage(message: unknown): void;
  addEventListener(type: 'message', listener: (event: { data: { name: string; options: never } }) => void): void;
};
scope.addEventListener('message', async ({ data }) => {
  // Others are of jax-js.
  if (!(data?.name in tasks)) return;
  try {
    scope.postMessage({ value: await tasks[data.name]!(data.options) });
  } catch (error) {
    scope.postMessage({ error: String((error as Error)?.message ?? error) });
  }
});
