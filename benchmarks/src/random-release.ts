/**
 * Makes models of the published sizes with random weights, in the files of the releases: DALL·E Mini in float32 or Mega in float16, as they
 * were released, and the VQ-GAN f16-16384. Prints the sizes as one JSON line.
 */

import { mkdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createRandom } from '@dalle-mini/core';
import { decoderParameters, decoderPresets, exportConfig, exportDecoder } from '@dalle-mini/decoder';
import { sizeOf, type Tensor } from '@dalle-mini/graph';
import { bartParameters, bartPresets, exportTextEncoder } from '@dalle-mini/text-encoder';
import { exportVqgan, exportVqganConfig, vqganParameters, vqganPresets } from '@dalle-mini/vqgan';
import { type Checkpoint, fromFloat32 } from '@dalle-mini/weights';
import { writeFlaxCheckpointFile } from '@dalle-mini/weights/node';

const { values: options } = parseArgs({
  options: { size: { type: 'string' }, folder: { type: 'string' }, vqgan: { type: 'string' } },
});
const { folder, vqgan } = options as { folder: string; vqgan: string };
const size = options.size === 'mega' ? 'dalle-mega' : 'dalle-mini';
const dtype = size === 'dalle-mega' ? 'F16' : 'F32';

/** Normal numbers of weights' usual width: as many as are needed are taken from here, over and over. */
const random = createRandom(0);
const normals = Float32Array.from({ length: 1_000_003 }, () => 0.02 * random.normal());

function randomWeights(parameters: ReadonlyMap<string, Tensor>, dtype: 'F32' | 'F16'): Checkpoint {
  const block = fromFloat32(normals, [normals.length], dtype).bytes;
  const width = dtype === 'F32' ? 4 : 2;
  const weights: Checkpoint = new Map();
  let start = 0;
  for (const [name, { shape, operation }] of parameters) {
    const { initializer } = operation.attributes as { initializer?: { kind: string } };
    if (initializer?.kind === 'ones') {
      weights.set(name, fromFloat32(new Float32Array(sizeOf(shape)).fill(1), shape, dtype));
      continue;
    }
    const bytes = new Uint8Array(width * sizeOf(shape));
    for (let filled = 0; filled < bytes.length; ) {
      const part = block.subarray(start, start + bytes.length - filled);
      bytes.set(part, filled);
      filled += part.length;
      start = (start + part.length) % block.length;
    }
    weights.set(name, { dtype, shape: [...shape], bytes });
  }
  return weights;
}

const textEncoder = bartPresets[size];
const decoder = { ...decoderPresets[size], textLength: textEncoder.maxLength };
await mkdir(folder, { recursive: true });
await writeFile(join(folder, 'config.json'), JSON.stringify(exportConfig(textEncoder, decoder)));
// A tokenizer of bytes: the ids are those of the model, if not of its captions.
const bytes = Array.from({ length: 256 }, (_, byte) => byteLetter(byte));
const tokens = ['<s>', '<pad>', '</s>', '<unk>', '<mask>', ...bytes, 'Ġa'];
await writeFile(join(folder, 'vocab.json'), JSON.stringify(Object.fromEntries(tokens.map((token, id) => [token, id]))));
await writeFile(join(folder, 'merges.txt'), '#version: 0.2\nĠ a\n');
const released = [
  ...exportTextEncoder(randomWeights(bartParameters(textEncoder), dtype), textEncoder),
  ...exportDecoder(randomWeights(decoderParameters(decoder), dtype), decoder),
];
await writeFlaxCheckpointFile(join(folder, 'flax_model.msgpack'), new Map(released));

const published = { ...vqganPresets['f16-16384'], pixelRange: [0, 1] } as const;
await mkdir(vqgan, { recursive: true });
await writeFile(join(vqgan, 'config.json'), JSON.stringify(exportVqganConfig(published)));
const weights = exportVqgan(randomWeights(vqganParameters(published), 'F32'), published);
await writeFlaxCheckpointFile(join(vqgan, 'flax_model.msgpack'), weights);

const megabytes = async (path: string) => Math.round((await stat(path)).size / 1e6);
console.log(
  JSON.stringify({
    model_mb: await megabytes(join(folder, 'flax_model.msgpack')),
    vqgan_mb: await megabytes(join(vqgan, 'flax_model.msgpack')),
    peak_rss_mb: process.resourceUsage().maxRSS / 1024,
  }),
);

/** The letter that byte-level BPE has for a byte (`bytes_to_unicode` of GPT-2). */
function byteLetter(byte: number): string {
  const isPrintable = (code: number) => (code > 32 && code < 127) || (code > 160 && code < 256 && code !== 173);
  if (isPrintable(byte)) return String.fromCharCode(byte);
  let others = 0;
  for (let other = 0; other < byte; other++) if (!isPrintable(other)) others++;
  return String.fromCharCode(256 + others);
}
