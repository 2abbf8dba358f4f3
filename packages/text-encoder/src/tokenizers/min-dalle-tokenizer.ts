import { OptionError } from '@dalle-mini/core';
import { demojize } from '../captions/demojize.js';
import { createTokenizer } from './create-tokenizer.js';
import type { TextTokenizer, Unread } from './text-tokenizer.js';
import { type BpeFiles, checkVocab, parseMerges } from './vocabulary-files.js';

/** What stands for the space before a word in the vocabulary. */
const SPACE = 'Ġ';

/** What min-dalle pads with and masks: the id of `<pad>` in the released vocabularies. */
const PAD_ID = 1;

/**
 * The tokenizer of https://github.com/kuprel/min-dalle, for the same files as `tokenizerFromBpeFiles`. It differs from that one in
 * that it
 *
 * - writes emoji as their names, turns to lower case and drops what is not ASCII, and is given captions as they are;
 * - splits at spaces only, so that punctuation may merge with words, and reads every word as one after a space;
 * - gives `<unk>` for what is not in the vocabulary, and knows no special tokens in captions;
 * - cuts off the end, `</s>` included, of captions that are too long;
 * - pads with the id 1 whatever `<pad>` is, and masks whatever has that id.
 *
 * @throws Error if the files are none of a BPE tokenizer, do not belong together, or lack `<s>`, `</s>` or `<unk>`.
 */
export async function minDalleTokenizer({ vocab, merges }: BpeFiles): Promise<TextTokenizer> {
  await checkVocab(vocab, ['<s>', '</s>', '<unk>']);
  const file = {
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: null,
    post_processor: null,
    decoder: null,
    model: { type: 'BPE', vocab, merges: await parseMerges(merges, vocab), unk_token: '<unk>' },
  };
  const tokenizer = await createTokenizer(file, {});

  return {
    encode(captions, maxLength) {
      if (!Number.isInteger(maxLength) || maxLength < 2) {
        throw new OptionError('maxLength', 'a whole number of at least 2', maxLength);
      }
      const ids = new Int32Array(captions.length * maxLength).fill(PAD_ID);
      const unread = captions.map((caption, index): Unread => {
        const tokens = [vocab['<s>']!];
        for (const word of lowerCaseAscii(caption).split(' ')) {
          if (tokens.length >= maxLength) break;
          if (word === '') continue;
          const { ids } = tokenizer.encode(SPACE + word, { add_special_tokens: false });
          tokens.push(...ids.slice(0, maxLength));
        }
        tokens.push(vocab['</s>']!);
        ids.set(tokens.slice(0, maxLength), index * maxLength);
        return { isTruncated: tokens.length > maxLength, unknownWords: [] };
      });
      return { ids, unread, attentionMask: ids.map((id) => (id === PAD_ID ? 0 : 1)) };
    },
  };
}

function lowerCaseAscii(caption: string): string {
  return demojize(caption, (name) => name)
    .toLowerCase()
    .replace(/[^\0-\x7f]/g, '');
}
