/** What is compiled ahead of time: training steps and generation, devices, and how graphs are divided. See `ahead-of-time.ts`. */
import { decoderPresets, rowGraph, teacherForced } from '@dalle-mini/decoder';
import { add, crossEntropy, type Graph, mean, mul, parametersOf, type Tensor } from '@dalle-mini/graph';
import { meanSquaredError } from '@dalle-mini/graph/layers';
import { partition, type StableHloOptions } from '@dalle-mini/graph/stablehlo';
import { quantizableParameters, type StoredDescription } from '@dalle-mini/graph/stored';
import { adafactor, adamW, type TrainingOptions, trainingGraph } from '@dalle-mini/graph/training';
import { bart, bartPresets } from '@dalle-mini/text-encoder';
import { partitionRules } from '@dalle-mini/transformer';
import { reconstruct, vqganPresets } from '@dalle-mini/vqgan';
import { adversarialTerm, hingeAdversary } from './adversary.js';

/** Devices that a plugin can compile for. */
export interface Target {
  readonly device: 'tpu' | 'cuda';
  /** The devices, as the plugin names them. */
  readonly topology: string;
  readonly devices: number;
  /** Memory of a device, in bytes. */
  readonly memory: number;
}

const gib = 2 ** 30;

export const targets: Readonly<Record<string, Target>> = {
  // libtpu describes each of the two cores of a chip of TPU v3 and v4 as a device.
  'TPU v3-8': { device: 'tpu', topology: 'v3:2x2', devices: 8, memory: 16 * gib },
  'TPU v4-32': { device: 'tpu', topology: 'v4:2x2x4', devices: 32, memory: 16 * gib },
  'TPU v5e-16': { device: 'tpu', topology: 'v5e:4x4', devices: 16, memory: 16 * gib },
  'TPU v3-256': { device: 'tpu', topology: 'v3:8x16', devices: 256, memory: 16 * gib },
  'TPU v5e-1': { device: 'tpu', topology: 'v5e:1x1', devices: 1, memory: 16 * gib },
  '1 × H100': { device: 'cuda', topology: '1x1x1', devices: 1, memory: 80e9 },
  '8 × H100': { device: 'cuda', topology: '1x1x8', devices: 8, memory: 80e9 },
  '16 × H100, 2 hosts': { device: 'cuda', topology: '1x2x8', devices: 16, memory: 80e9 },
};

/** XLA's description of the GPU, which the plugin reads from the driver where there is one. */
export const h100 = `gpu_device_info {
  threads_per_block_limit: 1024 threads_per_warp: 32 shared_memory_per_block: 49152 shared_memory_per_core: 233472
  threads_per_core_limit: 2048 core_count: 132 fpus_per_core: 128 block_dim_limit_x: 2147483647
  block_dim_limit_y: 65535 block_dim_limit_z: 65535 memory_bandwidth: 3352320000000 l2_cache_size: 52428800
  clock_rate_ghz: 1.98 device_memory_size: 84978434048 shared_memory_per_block_optin: 232448
  cuda_compute_capability { major: 9 } registers_per_core_limit: 65536 registers_per_block_limit: 65536
}
platform_name: "CUDA" dnn_version_info { major: 9 minor: 8 } device_description_str: "NVIDIA H100 80GB HBM3"`;

/** A training step for a number of samples. */
type Training = (batch: number) => Omit<TrainingOptions, 'stepsPerRun'>;

const transformer =
  (preset: 'dalle-mini' | 'dalle-mega'): Training =>
  (batch) => {
    const [decoder, textEncoder] = [decoderPresets[preset], bartPresets[preset]];
    const length = textEncoder.maxLength;
    return {
      batch: {
        tokens: { shape: [batch, decoder.gridSize ** 2], dtype: 'int32' },
        ids: { shape: [batch, length], dtype: 'int32' },
        attentionMask: { shape: [batch, length], dtype: 'int32' },
      },
      loss: (scope, { tokens, ids, attentionMask }) => {
        const hiddenStates = bart(scope.in('text_encoder'), textEncoder, ids!, attentionMask!);
        const text = { hiddenStates, attentionMask: attentionMask! };
        return { loss: mean(crossEntropy(teacherForced(scope, decoder, tokens!, text), tokens!)) };
      },
      optimizer: adafactor(),
      clipNorm: 1,
      rematerialize: (layer) => /^(.*\.)?layers\.\d+/.exec(layer)?.[0],
    };
  };

/** The discriminator's term counts from the first step on. */
const vqgan: Training = (batch) => {
  const config = vqganPresets['f16-16384'];
  const optimizer = adamW({ beta1: 0.5, beta2: 0.9 });
  return {
    batch: { images: { shape: [batch, 3, config.resolution, config.resolution], dtype: 'float32' } },
    loss: (scope, { images }) => {
      const result = reconstruct(scope, images!, config);
      const quantizationLoss = add(result.codebookLoss, mul(result.commitmentLoss, 0.25));
      const errors = add(meanSquaredError(result.images, images!), quantizationLoss);
      return { loss: add(errors, adversarialTerm(scope, result.images)) };
    },
    optimizer,
    adversary: hingeAdversary(config, optimizer),
  };
};

/** Training of a model for a number of samples. */
const trainings: Readonly<Record<string, Training>> = {
  'DALL·E Mini': transformer('dalle-mini'),
  'DALL·E Mega': transformer('dalle-mega'),
  'VQ-GAN f16-16384 and discriminator': vqgan,
};

/** How the matrices of a decoder are stored that generates: as model folders store them. */
type Dtype = 'fp32' | 'q8' | 'q4';

function storedAs(dtype: Dtype, graph: Graph): ReadonlyMap<string, StoredDescription> {
  const quantizable = quantizableParameters(graph);
  const describe = (name: string, { shape }: Tensor): StoredDescription => {
    if (dtype === 'fp32' || !quantizable.has(name)) return { dtype: 'float32', shape };
    if (dtype === 'q8' && !name.endsWith('.fc2.weight')) return { kind: 'columns', dtype: 'float32', shape };
    return { kind: 'blocks', dtype: 'float32', shape, bits: dtype === 'q4' ? 4 : 8, blockSize: 32 };
  };
  return new Map(
    [...parametersOf(Object.values(graph.outputs))].map(([name, tensor]) => [name, describe(name, tensor)]),
  );
}

/** A row of the table. */
export interface Compilation {
  readonly model: string;
  /** How weights are stored for generating one image with guidance. Otherwise the model is trained. */
  readonly generating?: Dtype;
  readonly target: string;
  /** Where parameters and the optimizer's state are. */
  readonly sharding: 'replicated' | 'fsdp' | 'rules';
  /** Devices over which rules divide parameters; the others divide the batch. */
  readonly modelParallel: number;
  /** Samples of a step, over all devices. */
  readonly batch: number;
}

/** In the order of the table. */
export const compilations = Object.entries(targets).flatMap(([target, { devices }]): Compilation[] => {
  const mini = { model: 'DALL·E Mini', target, modelParallel: 1, batch: 8 * devices };
  const mega = { model: 'DALL·E Mega', target, modelParallel: 1, batch: 4 * devices };
  const images = { model: 'VQ-GAN f16-16384 and discriminator', target, modelParallel: 1, batch: 2 * devices };
  const generating = (['fp32', 'q8', 'q4'] as const).map((dtype) => ({
    ...mini,
    generating: dtype,
    sharding: 'replicated' as const,
    batch: 1,
  }));
  if (target === 'TPU v5e-1') return generating;
  // As DALL·E Mega was trained.
  if (target === 'TPU v3-256') return [{ ...mega, sharding: 'rules', modelParallel: 8, batch: 256 }];
  return [
    ...(devices <= 8 ? [{ ...mini, sharding: 'replicated' as const }] : []),
    ...(devices > 1 ? [{ ...mini, sharding: 'fsdp' as const }] : []),
    { ...mega, sharding: devices > 1 ? 'fsdp' : 'replicated' },
    { ...images, sharding: 'replicated' },
    ...(target === '1 × H100' ? generating : []),
  ];
});

/** A graph, how it is emitted, and its parameters. */
export interface PreparedGraph {
  readonly graph: Graph;
  readonly options: StableHloOptions;
  readonly parameters: ReadonlyMap<string, Tensor>;
}

/** Returns the graph of a row. */
export function prepare(row: Compilation): PreparedGraph {
  return row.generating ? prepareGeneration(row.generating) : prepareTraining(row);
}

/** A row of the tokens of one image, with guidance. */
function prepareGeneration(dtype: Dtype): PreparedGraph {
  const graph = rowGraph(decoderPresets['dalle-mini'], { images: 1, guided: true, textLength: 64, candidates: 512 });
  const parameters = parametersOf(Object.values(graph.outputs));
  return { graph, options: { append: true, compute: 'bfloat16', stored: storedAs(dtype, graph) }, parameters };
}

function prepareTraining({ model, target, sharding, modelParallel, batch }: Compilation): PreparedGraph {
  const training = trainingGraph({ ...trainings[model]!(batch), stepsPerRun: 1 });
  const mesh = { data: targets[target]!.devices / modelParallel, model: modelParallel };
  const divided = partition(training.graph, training.roles, mesh, sharding === 'rules' ? partitionRules : sharding);
  return {
    graph: training.graph,
    parameters: training.parameters,
    options: { ...divided, compute: 'bfloat16', donate: training.state.keys() },
  };
}
