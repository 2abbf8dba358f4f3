/** Prior preservation (Ruiz et al. 2023, section 3.3): what a model generates before it is fine-tuned is trained on too. */
import { join } from 'node:path';
import type { ImageTokenDecoder, SamplingOptions, TextEncoder } from '@dalle-mini/core';
import { exists, readTextFile, writeFileAtomically, writeFolderAtomically } from '@dalle-mini/core/node';
import { type Dataset, openImageFolder, type Sample } from '@dalle-mini/data';
import { createDecoder } from '@dalle-mini/decoder';
import type { Runtime } from '@dalle-mini/graph';
import { type DecoderPart, encodeImage } from '@dalle-mini/pipeline';
import type { VqganTokenizer } from '@dalle-mini/vqgan';
import type { SettingsProgress } from './progress.js';
import { SettingsError } from './settings.js';

/** The model to fine-tune. */
export interface PriorModel {
  readonly decoder: DecoderPart;
  readonly tokenizer: VqganTokenizer;
  readonly textEncoder: TextEncoder;
  readonly sampling?: SamplingOptions | undefined;
}

export interface PriorOptions {
  /** The folder of the run. */
  readonly folder: string;
  readonly runtime: Runtime;
  readonly seed: number;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: SettingsProgress) => void) | undefined;
}

const batchSize = 32;
const listName = 'metadata.jsonl';
/** The list of the images, named by their positions. */
const listOf = (prompts: readonly string[]) =>
  prompts.map((text, i) => `${JSON.stringify({ file_name: `${i}.png`, text })}\n`).join('');

/**
 * Opens the images that a model generates from captions, one for each. The first call generates them and writes them into the
 * subfolder `prior` of the run.
 *
 * @throws SettingsError if that folder has images of other captions.
 */
export async function openPrior(
  prompts: readonly string[],
  model: PriorModel,
  options: PriorOptions,
): Promise<Dataset> {
  const path = join(options.folder, 'prior');
  if (!(await exists(path))) await writeFolderAtomically(path, (part) => generatePrior(part, prompts, model, options));
  else if ((await readTextFile(join(path, listName))) !== listOf(prompts))
    throw new SettingsError(
      `priorPrompts must stay as they were when their images were generated into ${path}. Train into another folder.`,
    );
  return openImageFolder(path, {
    imageSize: model.tokenizer.imageSize,
    scanFolder: join(options.folder, 'scans'),
    signal: options.signal,
    onReport: () => undefined,
  });
}

async function generatePrior(
  folder: string,
  prompts: readonly string[],
  model: PriorModel,
  { runtime, seed, signal, onProgress }: PriorOptions,
): Promise<void> {
  const { config, parameters } = model.decoder;
  const decoder: ImageTokenDecoder = createDecoder(config, parameters, { runtime });
  try {
    const unconditional = decoder.needsUnconditional === false ? undefined : await model.textEncoder.encode(['']);
    for (let start = 0; start < prompts.length; start += batchSize) {
      const batch = prompts.slice(start, start + batchSize);
      const text = await model.textEncoder.encode(batch);
      const sampling = { ...model.sampling, seed: seed + start, unconditional, signal };
      const images = await model.tokenizer.decode(await decoder.generate(text, sampling));
      for (const [i, image] of images.entries()) {
        await writeFileAtomically(join(folder, `${start + i}.png`), await encodeImage(image, { format: 'png' }));
      }
      onProgress?.({ stage: 'generate', unit: 'samples', done: start + batch.length, total: prompts.length });
    }
  } finally {
    await decoder.dispose();
  }
  await writeFileAtomically(join(folder, listName), listOf(prompts));
}

/** Returns the samples of a dataset and, after them, those of the prior, with keys below `prior/`. */
export function withPrior(dataset: Dataset, prior: Dataset): Dataset {
  const { length, skipped } = dataset;
  const named = <Named extends { readonly key: string }>(sample: Named): Named => ({
    ...sample,
    key: `prior/${sample.key}`,
  });
  return {
    length: length + prior.length,
    skipped,
    get: async (index, variation): Promise<Sample> =>
      index < length ? dataset.get(index, variation) : named(await prior.get(index - length, variation)),
    ...(dataset.describe && prior.describe
      ? {
          describe: (index) => (index < length ? dataset.describe!(index) : named(prior.describe!(index - length))),
        }
      : {}),
  };
}
