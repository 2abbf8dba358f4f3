/** Measures parts of the stages of generation separately, and computes the minimum work of each stage. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { checkDecoderConfig, rowGraph, textGraph } from '@dalle-mini/decoder';
import {
  add,
  type Graph,
  input,
  loop,
  matmul,
  ParameterScope,
  parametersOf,
  sizeOf,
  type Tensor,
  type TensorData,
} from '@dalle-mini/graph';
import { normal } from '@dalle-mini/graph/initializers';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { quantizableParameters, type StoredParameter } from '@dalle-mini/graph/stored';
import { type Dtype, openDecoderPart, readModelDescription } from '@dalle-mini/pipeline';
import { type BartConfig, bartGraph } from '@dalle-mini/text-encoder';
import { tokenizerFromBpeFiles } from '@dalle-mini/text-encoder/tokenizers';
import { decodeGraph, type VqganConfig } from '@dalle-mini/vqgan';
import { locateTensors } from '@dalle-mini/weights/node';
import { median } from './processes.js';
import { flopsOf, linearWork, type Work } from './work.js';

export interface Stages {
  /** Milliseconds of a part, measured separately; for all tokens, the products with weights. */
  readonly parts: Readonly<Record<'tokenize' | 'keys and values' | 'products of 256 tokens', number>>;
  /** By stage or part. */
  readonly work: Readonly<Record<string, Work>>;
}

/** What is drawn. */
export interface Drawing {
  /** The folder of a release that was converted. */
  readonly release: string;
  readonly dtype: Dtype;
  readonly images: number;
  readonly prompt: string;
  /** Tokens of the prompt. */
  readonly length: number;
  readonly threads: number;
}

export async function measureStages({ release, dtype, images, prompt, length, threads }: Drawing): Promise<Stages> {
  const model = await convertedFolder(release, dtype);
  const description = await readModelDescription(model);
  const [textEncoder, decoder, vqgan] = (['textEncoder', 'decoder', 'imageTokenizer'] as const).map((part) =>
    join(model, description[part].folder),
  ) as [string, string, string];
  const { config: opened, parameters } = await openDecoderPart(decoder);
  const config = checkDecoderConfig(opened);
  const shape = { images, guided: true, textLength: length };
  const sequences = 2 * images;
  const { gridSize } = config;
  const tokens = gridSize ** 2;
  const text = textGraph(config, shape);
  const row = rowGraph(config, shape);

  const runtime = new OnnxRuntime({ threads });
  const parts = {
    tokenize: await tokenizingTime(textEncoder, prompt),
    'keys and values': await timeOf(runtime, text, parameters),
    'products of 256 tokens': gridSize * (await timeOf(runtime, productsGraph(row, sequences, gridSize), parameters)),
  };
  await runtime.dispose();

  const stored = await locateTensors(join(decoder, 'model.safetensors'));
  const ofToken = linearWork(row, stored, sequences);
  const encoding = bartGraph(await readConfig<BartConfig>(textEncoder));
  const pixels = decodeGraph(await readConfig<VqganConfig>(vqgan));
  const work = {
    'encode text': linearWork(encoding, await locateTensors(join(textEncoder, 'model.safetensors')), length),
    'keys and values': linearWork(text, stored, sequences * length),
    '256 tokens': { bytes: tokens * ofToken.bytes, flops: tokens * ofToken.flops },
    'decode pixels': {
      bytes: 4 * [...parametersOf(Object.values(pixels.outputs)).values()].reduce((sum, p) => sum + sizeOf(p.shape), 0),
      flops: images * flopsOf(pixels),
    },
  };
  return { parts, work };
}

/** Where a release was converted to last. */
async function convertedFolder(release: string, dtype: Dtype): Promise<string> {
  const converted = join(release, 'converted');
  const names = (await readdir(converted)).filter((name) => name.endsWith(`-${dtype}`));
  const folders = await Promise.all(
    names.map(async (name) => ({ folder: join(converted, name), madeMs: (await stat(join(converted, name))).mtimeMs })),
  );
  return folders.sort((a, b) => b.madeMs - a.madeMs)[0]!.folder;
}

const readConfig = async <Config>(folder: string) =>
  JSON.parse(await readFile(join(folder, 'config.json'), 'utf8')) as Config;

async function tokenizingTime(folder: string, prompt: string): Promise<number> {
  const vocab = JSON.parse(await readFile(join(folder, 'vocab.json'), 'utf8'));
  const merges = await readFile(join(folder, 'merges.txt'), 'utf8');
  const tokenizer = await tokenizerFromBpeFiles({ vocab, merges });
  return medianOf(async () => {
    tokenizer.encode([prompt], 64);
  });
}

/**
 * Builds a graph of only the products of one vector per sequence with all linear layers of a graph, `times` times. Each layer reads the output
 * of the last layer of its input width, so that no product can be skipped.
 */
function productsGraph(graph: Graph, sequences: number, times: number): Graph {
  const linear = quantizableParameters(graph);
  const layers = [...parametersOf(Object.values(graph.outputs))].filter(([name]) => linear.has(name));
  const scope = new ParameterScope();
  const [first, ...others] = layers.map(([name, { shape }]) => scope.parameter(name, shape, normal(1)));
  const width = first!.shape[1]!;
  const vectors = input('vectors', [sequences, 1, width]);
  const { stacked } = loop(times, [vectors], (_, [x]) => {
    const given = new Map([[width, x!]]);
    const untaken = new Set<Tensor>();
    for (const weight of [first!, ...others]) {
      const [out, inner] = weight.shape as [number, number];
      const taken = given.get(inner)!;
      untaken.delete(taken);
      const product = matmul(taken, weight, { transposeB: true });
      const previous = given.get(out);
      const result = previous && untaken.has(previous) ? add(previous, product) : product;
      untaken.add(result);
      given.set(out, result);
    }
    return { carried: [x!], stacked: [...untaken] };
  });
  return { inputs: { vectors }, outputs: Object.fromEntries(stacked.map((tensor, i) => [`result ${i}`, tensor])) };
}

/** Of a graph whose inputs are hidden states. */
async function timeOf(
  runtime: OnnxRuntime,
  graph: Graph,
  parameters: ReadonlyMap<string, StoredParameter>,
): Promise<number> {
  const values = Object.entries(graph.inputs).map(([name, { shape }]): [string, TensorData] => [
    name,
    { dtype: 'float32', shape, data: Float32Array.from({ length: sizeOf(shape) }, (_, i) => Math.sin(i)) },
  ]);
  const executable = await runtime.compile(graph, { parameters });
  const time = await medianOf(() => executable.run(Object.fromEntries(values)));
  await executable.dispose();
  return time;
}

/** Returns the median of 20 calls in milliseconds, after five warm-up calls. */
async function medianOf(work: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let call = 0; call < 25; call++) {
    const start = performance.now();
    await work();
    if (call >= 5) times.push(performance.now() - start);
  }
  return median(times);
}
