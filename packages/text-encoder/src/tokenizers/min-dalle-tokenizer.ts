import { OptionError } from '@dalle-mini/core';
import { demojize } from '../captions/demojize.js';
import { bpe } from './hugging-face/models/bpe.js';
import type { TextTokenizer, Unread } from './text-tokenizer.js';
import { type BpeFiles, parseMerges, parseVocab } from './vocabulary-files.js';

/** The character for the space before a word in the vocabulary. */
const wordStart = 'Ġ';

/** The id that min-dalle uses for padding and masks: that of `<pad>` in the published vocabularies. */
const minDallePadId = 1;

/**
 * Creates the tokenizer of https://github.com/kuprel/min-dalle from the same files as `tokenizerFromBpeFiles`. The
 * differences are that it
 *
 * - replaces emoji by their names, changes captions to lower case, drops characters that are not ASCII, and does not
 *   normalize;
 * - splits only at spaces, so that punctuation may merge with words, and reads every word as after a space;
 * - uses `<unk>` for unknown characters, and has no special tokens in captions;
 * - truncates long captions at the end, including `</s>`;
 * - pads with the id 1, even if `<pad>` has another id, and masks all tokens with that id.
 *
 * @param folder The folder of the files, for error messages.
 * @throws ConfigError if the files are not those of a BPE tokenizer, do not match, or lack `<s>`, `</s>` or `<unk>`.
 */
export async function minDalleTokenizer({ vocab, merges }: BpeFiles, folder?: string): Promise<TextTokenizer> {
  const vocabulary = await parseVocab(vocab, ['<s>', '</s>', '<unk>'], folder);
  const idOf = (token: string) => vocabulary.get(token)!;
  const model = bpe({ vocabulary, merges: await parseMerges(merges, vocabulary, folder), unknownId: idOf('<unk>') });

  return {
    encode(captions, maxLength) {
      if (!Number.isInteger(maxLength) || maxLength < 2) {
        throw new OptionError('maxLength', 'a whole number of at least 2', maxLength);
      }
      const ids = new Int32Array(captions.length * maxLength).fill(minDallePadId);
      const unread = captions.map((caption, index): Unread => {
        const tokens = [idOf('<s>')];
        for (const word of lowerCaseAscii(caption).split(' ')) {
          if (tokens.length >= maxLength) break;
          if (word === '') continue;
          tokens.push(...model.tokenize(wordStart + word).slice(0, maxLength));
        }
        tokens.push(idOf('</s>'));
        ids.set(tokens.slice(0, maxLength), index * maxLength);
        return { isTruncated: tokens.length > maxLength, unknownWords: [] };
      });
      return { ids, unread, attentionMask: ids.map((id) => (id === minDallePadId ? 0 : 1)) };
    },
  };
}

function lowerCaseAscii(caption: string): string {
  return demojize(caption, (name) => name)
    .toLowerCase()
    .replace(/[^\0-\x7f]/g, '');
}
