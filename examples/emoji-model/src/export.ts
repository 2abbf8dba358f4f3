/**
 * Writes a trained model to the folder of the bundled model: `npm run export -- [--first] [run folder] [model folder]`. `--first` is for the
 * first edition. The second has the decoder of the first while the run has trained none.
 */
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { exists } from '@dalle-mini/core/node';
import { writeModelFolder } from '@dalle-mini/pipeline';
import { readCheckpointFile } from '@dalle-mini/weights/node';
import { readFirstEdition } from './first-edition.js';
import { loadParameters } from './parameters-file.js';
import * as first from './recipe.js';
import * as second from './second-edition/recipe.js';
import { textEncoderFolder } from './text-encoder.js';

const { values, positionals } = parseArgs({ options: { first: { type: 'boolean' } }, allowPositionals: true });
const recipe = values.first ? first : second;
const run = resolve(positionals[0] ?? (values.first ? '../../runs/emoji' : '../../runs/emoji2'));
const target = resolve(positionals[1] ?? fileURLToPath(new URL('../../../packages/emoji/model', import.meta.url)));

const trainedDecoder = join(run, 'decoder.safetensors');
const hasDecoder = values.first || (await exists(trainedDecoder));
const decoder = hasDecoder
  ? { config: recipe.decoder, parameters: await loadParameters(trainedDecoder) }
  : (await readFirstEdition()).decoder;
const json = async (name: string) => JSON.parse(await readFile(join(textEncoderFolder, name), 'utf8'));
// The text encoder's files stay as they are, byte for byte: only what was trained is taken over.
const temporary = await mkdtemp(join(tmpdir(), 'emoji-'));
const whole = join(temporary, 'model');
await writeModelFolder(
  whole,
  {
    name: 'emoji',
    license: 'Apache-2.0 AND CC-BY-4.0 AND MIT',
    imageTokenizer: { config: recipe.vqgan, parameters: await loadParameters(join(run, 'vqgan.safetensors')) },
    textEncoder: {
      files: {
        config: await json('config.json'),
        tokenizer: await json('tokenizer.json'),
        weights: (await readCheckpointFile(join(textEncoderFolder, 'model.safetensors'))).tensors,
      },
      maxLength: first.maxCaptionLength,
    },
    decoder,
    sampling: recipe.sampling,
  },
  { dtype: 'fp16' },
);
for (const part of ['vqgan', 'decoder', 'model.json'])
  await cp(join(whole, part), join(target, part), { recursive: true });
if (join(target, 'text-encoder') !== resolve(textEncoderFolder))
  await cp(textEncoderFolder, join(target, 'text-encoder'), { recursive: true });
await rm(temporary, { recursive: true });
console.log(target);
