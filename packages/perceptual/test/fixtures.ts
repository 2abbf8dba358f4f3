import { readFileSync } from 'node:fs';
import type { RgbImage } from '@dalle-mini/core';
import { readSafetensors, toFloat32 } from '@dalle-mini/weights';

/** Pictures, and what the published code computes of them: see scripts/reference/perceptual.py. */
const { tensors } = readSafetensors(readFileSync(new URL('fixtures/pictures.safetensors', import.meta.url)));

export const reference = (name: string): Float32Array => toFloat32(tensors.get(name)!);

function picture(name: string): RgbImage {
  const { shape, bytes } = tensors.get(name)!;
  return { width: shape[1]!, height: shape[0]!, data: bytes };
}

export const pairs = ['noisy', 'blurred', 'shifted', 'darker', 'other', 'flat'].map((name) => {
  const [vgg16, alexnet, psnr, ssim] = reference(`${name}.values`) as unknown as [number, number, number, number];
  return { name, a: picture(`${name}.a`), b: picture(`${name}.b`), lpips: { vgg16, alexnet }, psnr, ssim };
});

export function rowsOf(name: string): Float32Array[] {
  const width = tensors.get(name)!.shape[1]!;
  const values = reference(name);
  return Array.from({ length: values.length / width }, (_, i) => values.slice(i * width, (i + 1) * width));
}
