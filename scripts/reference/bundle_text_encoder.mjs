/**
 * Puts all-MiniLM-L6-v2 into the bundled model: the folder that minilm.py wrote becomes
 * packages/emoji/model/text-encoder/{config.json, tokenizer.json, model.safetensors}, the matrices in 8 bits.
 *
 * Usage: npm run build && node scripts/reference/bundle_text_encoder.mjs FOLDER
 */
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { writeFileAtomically } from '@dalle-mini/core/node';
import { quantize } from '@dalle-mini/graph/stored';
import { readCheckpointFile, writeCheckpointFile } from '@dalle-mini/weights/node';

const source = process.argv[2];
if (source === undefined) {
  console.error('Pass the folder that minilm.py wrote: node scripts/reference/bundle_text_encoder.mjs FOLDER');
  process.exit(1);
}
const target = fileURLToPath(new URL('../../packages/emoji/model/text-encoder/', import.meta.url));
await mkdir(target, { recursive: true });
for (const name of ['config.json', 'tokenizer.json']) {
  await writeFileAtomically(join(target, name), await readFile(join(source, name)));
}

const { tensors } = await readCheckpointFile(join(source, 'model.safetensors'));
// The pooler feeds BERT's sentence classification, and position_ids count 0, 1, 2, …: hidden states need neither.
const used = [...tensors].filter(([name]) => !name.startsWith('pooler.') && name !== 'embeddings.position_ids');
await writeCheckpointFile(join(target, 'model.safetensors'), quantize(new Map(used)), {
  source: 'sentence-transformers/all-MiniLM-L6-v2',
  license: 'Apache-2.0',
  quantization: 'int8, one scale a row',
});
