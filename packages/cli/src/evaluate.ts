import { dirname } from 'node:path';
import { makeFolder } from '@dalle-mini/core/node';
import type { ReconstructionFigures } from '@dalle-mini/train';
import { evaluateVqgan } from '@dalle-mini/train/settings';
import { UsageError } from './errors.js';
import { showLoading } from './generate.js';
import { ProgressBar } from './progress-bar.js';

export interface EvaluateCommand {
  readonly count?: number | undefined;
  /** The path of a sheet of images. */
  readonly sheet?: string | undefined;
  readonly threads?: number | undefined;
  readonly json: boolean;
  readonly signal: AbortSignal;
}

/** Runs `dalle-mini evaluate`: measures how well a VQ-GAN reconstructs pictures, and prints a table or JSON. */
export async function evaluate(model: string, pictures: string, command: EvaluateCommand): Promise<void> {
  const { count, sheet, threads, json, signal } = command;
  if (sheet !== undefined && !/\.png$/i.test(sheet)) throw new UsageError(`--sheet must end in .png, not ${sheet}.`);
  if (sheet !== undefined) await makeFolder(dirname(sheet));
  const bar = new ProgressBar();
  const figures = await evaluateVqgan(model, pictures, {
    count,
    sheet,
    threads,
    signal,
    onProgress: (progress) => {
      if ('model' in progress) showLoading(bar, progress);
      else bar.show(progress.done / progress.total, `image ${progress.done} of ${progress.total}`);
    },
  }).finally(() => bar.clear());
  process.stdout.write(json ? `${JSON.stringify({ model, pictures, ...figures })}\n` : tableOf(figures));
}

function tableOf(figures: ReconstructionFigures): string {
  const { images, psnr, ssim, lpipsVgg16, lpipsAlexNet, frechetVgg16, codesUsed, perplexity } = figures;
  const rows: [name: string, value: string][] = [
    ['images', String(images)],
    ['PSNR', `${psnr.toFixed(2)} dB`],
    ['SSIM', ssim.toFixed(4)],
    ['LPIPS (VGG16)', lpipsVgg16.toFixed(4)],
    ['LPIPS (AlexNet)', lpipsAlexNet.toFixed(4)],
    ['Fréchet distance (VGG16)', frechetVgg16?.toFixed(4) ?? 'needs two images'],
    ['codes used', `${(100 * codesUsed).toFixed(1)} %`],
    ['perplexity of the codes', perplexity.toFixed(1)],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${value}\n`).join('');
}
