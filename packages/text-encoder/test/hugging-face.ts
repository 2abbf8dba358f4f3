import { readFileSync } from 'node:fs';
import { type Checkpoint, readCheckpoint } from '@dalle-mini/weights';

/** Small models with random weights, in the file formats of Hugging Face (see scripts/reference/hugging_face.py). */
export const families = ['bert', 'roberta', 'distilbert', 'bart'] as const;
export type Family = (typeof families)[number];

const read = (path: string) => readFileSync(new URL(`fixtures/hugging-face/${path}`, import.meta.url));
const readJson = (path: string) => JSON.parse(read(path).toString());

/** The files of a vocabulary, for models without a `tokenizer.json`. */
export const vocabularies = {
  bpe: { vocab: readJson('bpe/vocab.json') as Record<string, number>, merges: read('bpe/merges.txt').toString() },
  wordpiece: { vocab: read('wordpiece/vocab.txt').toString() },
};

const vocabularyOf = { bert: 'wordpiece', roberta: 'bpe', distilbert: 'wordpiece', bart: 'bpe' } as const;

/** Captions, and the ids of their first `maxTokens` tokens, without padding, from Hugging Face's tokenizers. */
export const tokens = readJson('tokens.json') as {
  maxTokens: number;
  captions: string[];
  tokenizers: { vocabulary: keyof typeof vocabularies; tokenizerConfig: object; ids: number[][] }[];
};

const models = readJson('models.json') as {
  maxLength: number;
  captions: Record<keyof typeof vocabularies, string[]>;
};

export function readModel(family: Family) {
  const vocabulary = vocabularyOf[family];
  return {
    vocabulary,
    maxLength: models.maxLength,
    captions: models.captions[vocabulary],
    config: readJson(`${family}/config.json`) as Record<string, unknown>,
    tokenizer: readJson(`${family}/tokenizer.json`) as object,
    readWeights: (file: string): Checkpoint => readCheckpoint(read(`${family}/${file}`)).tensors,
    outputs: readCheckpoint(read(`${family}/outputs.safetensors`)).tensors,
  };
}
