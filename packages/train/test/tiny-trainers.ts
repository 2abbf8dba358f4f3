import { join } from 'node:path';
import type { ImageTokenizer, RgbImage } from '@dalle-mini/core';
import type { Runtime } from '@dalle-mini/graph';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { decoderModel, decoderRun, vqganRun } from '@dalle-mini/testing/tiny-training';
import {
  type DecoderTraining,
  type MetricsRecord,
  readMetrics,
  trainDecoder,
  trainVqgan,
  type VqganTraining,
} from '@dalle-mini/train';

/** Options of a training run that differ from those of the tiny run. */
export type Changes<Training extends { readonly config: object }> = Partial<Omit<Training, 'config'>> & {
  config?: Partial<Training['config']>;
};

/** Returns a function that trains on a runtime with the options of `decoderRun` and some changes. */
export function decoderTrainer(runtime: Runtime) {
  return async ({ config, ...changes }: Changes<DecoderTraining> = {}) => {
    const folder = changes.folder ?? (await temporaryFolder());
    const options = { ...decoderRun, runtime, ...changes, folder, config: { ...decoderRun.config, ...config } };
    const parameters = await trainDecoder(options);
    return { folder, parameters, metrics: await readMetrics(join(folder, 'metrics.jsonl')) };
  };
}

/** Returns a function that trains on a runtime with the options of `vqganRun` and some changes. */
export function vqganTrainer(runtime: Runtime) {
  return async ({ config, ...changes }: Changes<VqganTraining> = {}) => {
    const folder = changes.folder ?? (await temporaryFolder());
    const options = { ...vqganRun, runtime, ...changes, folder, config: { ...vqganRun.config, ...config } };
    const parameters = await trainVqgan(options);
    return { folder, parameters, metrics: await readMetrics(join(folder, 'metrics.jsonl')) };
  };
}

export const meanLoss = (records: readonly MetricsRecord[]) =>
  records.reduce((sum, { loss }) => sum + loss!, 0) / records.length;

/** Decodes each token to a pixel of its gray. */
export const grayTokenizer: ImageTokenizer = {
  imageSize: decoderModel.gridSize,
  gridSize: decoderModel.gridSize,
  vocabularySize: decoderModel.vocabularySize,
  encode: () => Promise.reject(new Error('unused')),
  decode: async (all) =>
    all.map((tokens): RgbImage => {
      const data = Uint8Array.from({ length: 3 * tokens.length }, (_, i) => 10 * tokens[Math.floor(i / 3)]!);
      return { width: decoderModel.gridSize, height: decoderModel.gridSize, data };
    }),
  dispose: async () => undefined,
};
