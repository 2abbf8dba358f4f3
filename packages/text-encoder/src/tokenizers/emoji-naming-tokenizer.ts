import { demojize } from '../captions/demojize.js';
import type { TextTokenizer } from './text-tokenizer.js';

/**
 * Creates a tokenizer that reads emoji by their names where the vocabulary of another one lacks them: "🍎" as "red apple". Most
 * vocabularies lack most emoji, and would read every one as the same unknown token. Captions without unknown words stay as they are.
 */
export function emojiNamingTokenizer(tokenizer: TextTokenizer): TextTokenizer {
  return {
    encode(captions, maxLength) {
      const tokens = tokenizer.encode(captions, maxLength);
      const named = captions.map((caption, i) =>
        tokens.unread?.[i]?.unknownWords.length ? nameEmoji(caption) : caption,
      );
      return named.some((caption, i) => caption !== captions[i]) ? tokenizer.encode(named, maxLength) : tokens;
    },
  };
}

/** Replaces emoji by their English names, as words. */
function nameEmoji(caption: string): string {
  return demojize(caption, (name) => ` ${name.replaceAll('_', ' ')} `);
}
