/** Functions that need a file system: the weights of this package. */
import { dirname, join } from 'node:path';
import { object, oneOf, optional, readOptions } from '@dalle-mini/core';
import { findPackageFile } from '@dalle-mini/core/node';
import { chooseRuntime, type RuntimeOptions, runtimeFields } from '@dalle-mini/graph/onnxruntime';
import type { InMemory, StoredParameter } from '@dalle-mini/graph/stored';
import { readCheckpointFile } from '@dalle-mini/weights/node';
import { importPerceptual } from './lpips.js';
import { LpipsMetric } from './lpips-metric.js';
import { type PerceptualNetwork, perceptualNetworks } from './networks.js';

/**
 * Reads the parameters of LPIPS that this package ships, in half precision, by the names of `perceptualParameters`.
 *
 * @throws FileError if the file cannot be read.
 */
export async function readPerceptualWeights(
  network: PerceptualNetwork,
): Promise<Map<string, InMemory<StoredParameter>>> {
  const folder = dirname(findPackageFile('@dalle-mini/perceptual/package.json', import.meta.url));
  const { tensors } = await readCheckpointFile(join(folder, 'weights', `${network}.safetensors`));
  return importPerceptual(tensors, network);
}

export interface OpenLpipsOptions extends RuntimeOptions {
  /** The network whose activations are compared. Default `vgg16`. */
  readonly network?: PerceptualNetwork | undefined;
}

const openFields = object<OpenLpipsOptions>({ ...runtimeFields, network: optional(oneOf(perceptualNetworks)) });

/**
 * Opens LPIPS with the weights that this package ships.
 *
 * @throws OptionError if an option is wrong; FileError if the weights cannot be read.
 *
 * @example
 * ```ts
 * import { openLpips } from '@dalle-mini/perceptual/node';
 *
 * const plain = (value: number) => ({ width: 64, height: 64, data: new Uint8Array(64 * 64 * 3).fill(value) });
 * const metric = await openLpips();
 * const { distances } = await metric.compare([plain(100), plain(100)], [plain(100), plain(200)]);
 * console.log(distances); // Float32Array of two: 0, and more
 * await metric.dispose();
 * ```
 */
export async function openLpips(options: OpenLpipsOptions = {}): Promise<LpipsMetric> {
  const { network = 'vgg16', runtime, threads } = readOptions(openFields, options, 'openLpips');
  return new LpipsMetric(network, await readPerceptualWeights(network), chooseRuntime({ runtime, threads }));
}
