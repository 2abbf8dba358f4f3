import { readFileSync } from 'node:fs';
import { readSafetensors } from '@dalle-mini/weights';

const read = (path: string) => readFileSync(new URL(path, import.meta.url));

/** The bundled all-MiniLM-L6-v2. */
export const minilm = {
  config: JSON.parse(read('../../emoji/model/text-encoder/config.json').toString()) as object,
  tokenizer: JSON.parse(read('../../emoji/model/text-encoder/tokenizer.json').toString()) as object,
  readWeights: () => readSafetensors(read('../../emoji/model/text-encoder/model.safetensors')).tensors,
};

/** The results of the Python model: see scripts/reference/minilm.py. */
export const reference = {
  ...(JSON.parse(read('fixtures/minilm.json').toString()) as {
    maxLength: number;
    captions: string[];
    hiddenStatesOf: number[];
  }),
  tensors: readSafetensors(read('fixtures/minilm.safetensors')).tensors,
};
