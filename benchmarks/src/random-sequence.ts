/**
 * Makes a model of a published size with random weights, in the files of its release: `min-dalle-e`, or a LlamaGen decoder of classes, `B`, `L`
 * or `XL`. Prints the number of parameters as one JSON line.
 */

import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createRandom } from '@dalle-mini/core';
import { decoderOnlyPresets, decoderParameters, llamaGenPresets } from '@dalle-mini/decoder';
import { sizeOf, type Tensor } from '@dalle-mini/graph';
import { vqganParameters, vqganPresets } from '@dalle-mini/vqgan';
import { type Checkpoint, fromFloat32 } from '@dalle-mini/weights';
import { writeCheckpointFile } from '@dalle-mini/weights/node';

const { values: options } = parseArgs({ options: { size: { type: 'string' }, folder: { type: 'string' } } });
const { size, folder } = options as { size: keyof typeof llamaGenPresets | 'min-dalle-e'; folder: string };
const random = createRandom(0);
const normals = Float32Array.from({ length: 1_000_003 }, () => 0.02 * random.normal());

function randomWeights(parameters: ReadonlyMap<string, Tensor>): Checkpoint {
  const weights: Checkpoint = new Map();
  let start = 0;
  for (const [name, { shape, operation }] of parameters) {
    const { initializer } = operation.attributes as { initializer?: { kind: string } };
    const data = new Float32Array(sizeOf(shape)).fill(initializer?.kind === 'ones' ? 1 : 0);
    if (initializer?.kind !== 'ones')
      for (let i = 0; i < data.length; i++, start = (start + 1) % normals.length) data[i] = normals[start]!;
    weights.set(name, fromFloat32(data, shape));
  }
  return weights;
}

/** The name of a parameter of the tokenizer in LlamaGen's releases, with five levels. */
function llamaGenName(name: string): string {
  return name
    .replace(
      /^encoder\.down\.(\d)\.(block)?/,
      (_, level, block) => `encoder.conv_blocks.${level}.${block ? 'res' : ''}`,
    )
    .replace(
      /^decoder\.up\.(\d)\.(block)?/,
      (_, level, block) => `decoder.conv_blocks.${4 - Number(level)}.${block ? 'res' : ''}`,
    )
    .replace('mid.block_1', 'mid.0')
    .replace('mid.attn_1', 'mid.1')
    .replace('mid.block_2', 'mid.2');
}

const isMinDalleE = size === 'min-dalle-e';
const decoder = decoderParameters(isMinDalleE ? decoderOnlyPresets[size] : llamaGenPresets[size]);
const vqgan = vqganParameters(vqganPresets[isMinDalleE ? 'f16-16384' : 'llama-gen-f16']);
await mkdir(folder, { recursive: true });
// The content of a file tells its format, not its name.
const write = (name: string, weights: Checkpoint) => writeCheckpointFile(join(folder, name), weights, { format: 'pt' });
if (isMinDalleE) {
  await mkdir(join(folder, 'tokenizer'), { recursive: true });
  const letters = [...'abcdefghijklmnopqrstuvwxyz'].flatMap((letter) => [letter, `${letter}</w>`]);
  const vocab = Object.fromEntries(['[PAD]', '[UNK]', ...letters].map((token, id) => [token, id]));
  await writeFile(join(folder, 'tokenizer', 'bpe-16k-vocab.json'), JSON.stringify(vocab));
  await writeFile(join(folder, 'tokenizer', 'bpe-16k-merges.txt'), '#version: 0.2\n');
  await writeFile(join(folder, 'config.yaml'), 'stage1: { hparams: {} }\nstage2: { hparams: {} }\n');
  await write('stage1_last.ckpt', randomWeights(vqgan));
  await write('stage2_last.ckpt', randomWeights(decoder));
} else {
  await write(
    'vq_ds16_c2i.pt',
    new Map([...randomWeights(vqgan)].map(([name, tensor]) => [llamaGenName(name), tensor])),
  );
  await write(`c2i_${size}_256.pt`, randomWeights(decoder));
}
const parameters = [...decoder.values()].reduce((sum, { shape }) => sum + sizeOf(shape), 0);
console.log(JSON.stringify({ size, parameters }));
