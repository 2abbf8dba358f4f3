import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readJsonFile } from '@dalle-mini/core/node';
import type { Runtime } from '@dalle-mini/graph';
import { type HuggingFaceTextEncoder, loadTextEncoder } from '@dalle-mini/text-encoder';
import { readCheckpointFile } from '@dalle-mini/weights/node';
import { maxCaptionLength } from './recipe.js';

/** Where the bundled model has it. */
export const textEncoderFolder = fileURLToPath(
  new URL('.', import.meta.resolve('@dalle-mini/emoji/model/text-encoder/config.json')),
);

/** all-MiniLM-L6-v2 as the bundled model stores it. */
export async function loadMiniLM(runtime: Runtime, batchSize = 16): Promise<HuggingFaceTextEncoder> {
  const path = (name: string) => join(textEncoderFolder, name);
  const json = async (name: string) => JSON.parse(await readFile(path(name), 'utf8'));
  const [config, tokenizer, { tensors: weights }] = await Promise.all([
    json('config.json'),
    json('tokenizer.json'),
    readCheckpointFile(path('model.safetensors')),
  ]);
  return loadTextEncoder({ config, tokenizer, weights }, { runtime, maxLength: maxCaptionLength, batchSize });
}

/** Reads the words that all-MiniLM-L6-v2 has a token for: the frequent ones of English. */
export async function englishWords(): Promise<ReadonlySet<string>> {
  const { model } = (await readJsonFile(join(textEncoderFolder, 'tokenizer.json'))) as {
    model: { vocab: Record<string, number> };
  };
  return new Set(Object.keys(model.vocab).filter((word) => /^[a-z]{2,}$/.test(word)));
}
