/** Writes model folders that have the text encoder of the bundled model. */
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { SamplingOptions } from '@dalle-mini/core';
import type { AnyDecoderConfig } from '@dalle-mini/decoder';
import { writeModelFolder } from '@dalle-mini/pipeline';
import type { VqganConfig } from '@dalle-mini/vqgan';
import { readCheckpointFile } from '@dalle-mini/weights/node';
import type { Part } from './first-edition.js';
import { maxCaptionLength } from './recipe.js';
import { textEncoderFolder } from './text-encoder.js';

export interface ModelParts {
  readonly imageTokenizer: Part<VqganConfig>;
  readonly decoder: Part<AnyDecoderConfig>;
  readonly sampling: SamplingOptions;
}

/** Writes a model folder, in 16 bits. The text encoder's files stay as they are, byte for byte. */
export async function writeModel(target: string, name: string, parts: ModelParts): Promise<void> {
  const json = async (name: string) => JSON.parse(await readFile(join(textEncoderFolder, name), 'utf8'));
  const temporary = await mkdtemp(join(tmpdir(), 'emoji-'));
  const whole = join(temporary, 'model');
  await writeModelFolder(
    whole,
    {
      name,
      license: 'Apache-2.0 AND CC-BY-4.0 AND MIT',
      textEncoder: {
        files: {
          config: await json('config.json'),
          tokenizer: await json('tokenizer.json'),
          weights: (await readCheckpointFile(join(textEncoderFolder, 'model.safetensors'))).tensors,
        },
        maxLength: maxCaptionLength,
      },
      ...parts,
    },
    { dtype: 'fp16' },
  );
  for (const part of ['vqgan', 'decoder', 'model.json'])
    await cp(join(whole, part), join(target, part), { recursive: true });
  if (join(target, 'text-encoder') !== resolve(textEncoderFolder))
    await cp(textEncoderFolder, join(target, 'text-encoder'), { recursive: true });
  await rm(temporary, { recursive: true });
}
