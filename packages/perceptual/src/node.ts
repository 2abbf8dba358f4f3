/** Functions that need a file system: the weights of this package. */
import { dirname, join } from 'node:path';
import { object, oneOf, optional, readOptions } from '@dalle-mini/core';
import { findPackageFile, installAdvice } from '@dalle-mini/core/node';
import { chooseRuntime, type RuntimeOptions, runtimeFields } from '@dalle-mini/graph/onnxruntime';
import type { InMemory, StoredParameter } from '@dalle-mini/graph/stored';
import { CheckpointError } from '@dalle-mini/weights';
import { readCheckpointFile } from '@dalle-mini/weights/node';
import { importPerceptual } from './lpips.js';
import { LpipsMetric } from './lpips-metric.js';
import { type PerceptualNetwork, perceptualNetworks } from './networks.js';

const packageName = '@dalle-mini/perceptual';

/**
 * Reads the parameters of LPIPS that this package ships, in half precision, by the names of `perceptualParameters`.
 *
 * @throws CheckpointError if the package is not found; FileError if the file cannot be read.
 */
export async function readPerceptualWeights(
  network: PerceptualNetwork,
): Promise<Map<string, InMemory<StoredParameter>>> {
  const { tensors } = await readCheckpointFile(join(packageFolder(), 'weights', `${network}.safetensors`));
  return importPerceptual(tensors, network);
}

/** Returns the folder of this package, also from a program that a bundler made. */
function packageFolder(): string {
  try {
    return dirname(findPackageFile(`${packageName}/package.json`, import.meta.url));
  } catch (error) {
    const message = `The package ${packageName}, with the weights of LPIPS, is not found. ${installAdvice(packageName)}`;
    throw new CheckpointError(message, { cause: error });
  }
}

export interface OpenLpipsOptions extends RuntimeOptions {
  /** The network whose activations are compared. Default `vgg16`. */
  readonly network?: PerceptualNetwork | undefined;
}

const openFields = object<OpenLpipsOptions>({ ...runtimeFields, network: optional(oneOf(perceptualNetworks)) });

/**
 * Opens LPIPS with the weights that this package ships.
 *
 * @throws OptionError if an option is wrong; CheckpointError or FileError if the weights cannot be found or read.
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
