import type { TextNormalizer } from '../captions/text-normalizer.js';
import type { TextTokenizer } from './text-tokenizer.js';

/**
 * Wraps a tokenizer so that it normalizes captions first, as DALL·E Mini's processor does. The empty caption, which is
 * the unconditional one, is not normalized, as in the processor.
 */
export function normalizingTokenizer(tokenizer: TextTokenizer, normalizer: TextNormalizer): TextTokenizer {
  const normalize = (caption: string) => (caption === '' ? '' : normalizer.normalize(caption));
  return { encode: (captions, maxLength) => tokenizer.encode(captions.map(normalize), maxLength) };
}
