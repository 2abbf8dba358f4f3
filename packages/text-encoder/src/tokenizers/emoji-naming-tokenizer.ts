import { demojize } from '../captions/demojize.js';
import type { TextTokenizer } from './text-tokenizer.js';

/**
 * Wraps a tokenizer so that it reads emoji that its vocabulary lacks by their names: "🍎" as "red apple". Most
 * vocabularies lack most emoji and would read each as the same unknown token. Captions without unknown words do not
 * change.
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
