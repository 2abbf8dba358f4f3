import { readFileSync } from 'node:fs';
import { expect } from 'vitest';

export const read = (name: string) => readFileSync(new URL(`fixtures/captions/${name}`, import.meta.url), 'utf8');

/** A caption and the results of the published code (see scripts/reference/captions.py). */
export interface Row {
  readonly caption: string;
  /** After `ftfy.fix_text` and after `emoji.demojize`. */
  readonly fixed: string;
  readonly demojized: string;
  /** The numbers that chose the words for `<person>`. */
  readonly random: readonly number[];
  readonly normalized: string;
  /** Ids of at most `maxLength` tokens, without padding, by tokenizer. */
  readonly tokens: Readonly<Record<'bpe' | 'uncased' | 'cased' | 'processor' | 'minDalle', readonly number[]>>;
}

const tokens = JSON.parse(read('tokens.json')) as Row['tokens'][];
export const rows = (JSON.parse(read('captions.json')) as Omit<Row, 'tokens'>[]).map(
  (row, index): Row => ({ ...row, tokens: tokens[index]! }),
);
export const maxLength = 64;
export const wordFrequencies = read('words-frequency.txt');
export const bpeFiles = {
  vocab: JSON.parse(read('bpe/vocab.json')) as Record<string, number>,
  merges: read('bpe/merges.txt'),
};

/** Fails with the number, the beginning and the error of every caption for which the check throws. */
export function expectForEvery(captions: readonly Row[], check: (row: Row) => void): void {
  const failures = captions.flatMap((row, index) => {
    try {
      check(row);
      return [];
    } catch (error) {
      return [`caption ${index}, ${JSON.stringify(row.caption.slice(0, 40))}: ${(error as Error).message}`];
    }
  });
  expect(failures).toEqual([]);
}
