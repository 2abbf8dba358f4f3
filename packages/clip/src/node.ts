/** Functions that need a file system: opening a CLIP from its files. */
import { join } from 'node:path';
import { object, readOptions } from '@dalle-mini/core';
import { chooseRuntime, type RuntimeOptions, runtimeFields } from '@dalle-mini/graph/onnxruntime';
import { clipTokenizerJson } from '@dalle-mini/text-encoder/clip';
import { type ReadOptions, whichField } from '@dalle-mini/weights';
import { type HubOptions, hubFields, huggingFaceFiles, resolveModelFolder } from '@dalle-mini/weights/hub';
import { readCheckpointFile, readHuggingFaceFolder } from '@dalle-mini/weights/node';
import { batchSizeField, ClipRanker } from './clip-ranker.js';
import { importClipConfig } from './config.js';
import { importClip } from './published.js';
import { loadClipTokenizer } from './tokenizer.js';

export interface OpenClipOptions extends HubOptions, RuntimeOptions, ReadOptions {
  /** Number of images computed at once. Default 4. */
  readonly batchSize?: number | undefined;
}

const openFields = object<OpenClipOptions>({
  ...hubFields,
  ...runtimeFields,
  batchSize: batchSizeField,
  which: whichField,
});

/**
 * Opens a CLIP from the folder of a Hugging Face model, or from the hub by a name such as `openai/clip-vit-base-patch32`. The weights
 * may be in OpenAI's layout.
 *
 * @throws ConfigError or CheckpointError if a file is damaged, or the files do not match; FileError if a file cannot be
 * read; HubError if the hub cannot provide it.
 *
 * @example
 * ```ts
 * import { openClipRanker } from '@dalle-mini/clip/node';
 *
 * const ranker = await openClipRanker('openai/clip-vit-base-patch32');
 * ```
 */
export async function openClipRanker(source: string, options: OpenClipOptions = {}): Promise<ClipRanker> {
  const { runtime, threads, batchSize, which, ...hub } = readOptions(openFields, options, 'openClipRanker');
  const folder = await resolveModelFolder(source, huggingFaceFiles, hub);
  hub.signal?.throwIfAborted();
  const readWeights = async (path: string) => (await readCheckpointFile(path, { which })).tensors;
  const model = await readHuggingFaceFolder(folder, readWeights);
  hub.signal?.throwIfAborted();
  const config = importClipConfig(model.config, join(folder, 'config.json'));
  const { vocab, merges } = model.tokenizer as { vocab: Record<string, number>; merges?: string };
  return new ClipRanker(config, importClip(model.weights, config), {
    tokenizer: await loadClipTokenizer(merges === undefined ? model.tokenizer : clipTokenizerJson(vocab, merges)),
    ...chooseRuntime({ runtime, threads }),
    batchSize,
  });
}
