import type { TextNormalizer } from '../captions/text-normalizer.js';
import type { TextTokenizer } from './text-tokenizer.js';

/**
 * A tokenizer that normalizes captions first, as DALL·E Mini's processor does. The empty caption stays as it is: it stands for no
 * condition, whose tokens the processor makes without normalizing.
 */
export function normalizingTokenizer(tokenizer: TextTokenizer, normalizer: TextNormalizer): TextTokenizer {
  const normalize = (caption: string) => (caption === '' ? '' : normalizer.normalize(caption));
  return { encode: (captions, maxLength) => tokenizer.encode(captions.map(normalize), maxLength) };
}
