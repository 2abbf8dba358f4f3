/**
 * Writes a trained model to the folder of the bundled model: `npm run export -- [--first] [run folder] [model folder]`. `--first` is for the
 * first edition. The second has the decoder of the first while the run has trained none.
 */
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { exists } from '@dalle-mini/core/node';
import { readFirstEdition } from './first-edition.js';
import { loadParameters } from './parameters-file.js';
import { pathOf } from './paths.js';
import * as first from './recipe.js';
import * as second from './second-edition/recipe.js';
import { writeModel } from './write-model.js';

const { values, positionals } = parseArgs({ options: { first: { type: 'boolean' } }, allowPositionals: true });
const recipe = values.first ? first : second;
const run = pathOf(positionals[0], values.first ? 'runs/emoji' : 'runs/emoji2');
const target = pathOf(positionals[1], 'packages/emoji/model');

const trainedDecoder = join(run, 'decoder.safetensors');
const hasDecoder = values.first || (await exists(trainedDecoder));
await writeModel(target, 'emoji', {
  imageTokenizer: { config: recipe.vqgan, parameters: await loadParameters(join(run, 'vqgan.safetensors')) },
  decoder: hasDecoder
    ? { config: recipe.decoder, parameters: await loadParameters(trainedDecoder) }
    : (await readFirstEdition()).decoder,
  sampling: recipe.sampling,
});
console.log(target);
