import type { TensorData } from '@dalle-mini/graph';
import { initializeParameters } from '@dalle-mini/graph/initializers';
import { type VqganConfig, vqganParameters } from '@dalle-mini/vqgan';

/**
 * Starts a VQ-GAN whose decoder has one level more, and writes larger images, from one without: levels that both have keep their parameters,
 * the others start at random.
 */
export function withLargerImages(
  parameters: ReadonlyMap<string, TensorData>,
  config: VqganConfig,
  seed: number,
): Map<string, TensorData> {
  const declared = vqganParameters(config);
  const started = initializeParameters(declared, seed);
  for (const [name, tensor] of parameters) {
    // Levels are counted from the largest images.
    const target = name.replace(/^decoder\.up\.(\d+)/, (_, level) => `decoder.up.${Number(level) + 1}`);
    if (String(declared.get(target)?.shape) === String(tensor.shape)) started.set(target, tensor);
  }
  return started;
}
