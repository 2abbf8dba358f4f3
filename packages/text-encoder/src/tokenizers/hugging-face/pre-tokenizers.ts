/** The `pre_tokenizer` of `tokenizer.json`. */
import { boolean, type Field, field, integer, object, oneOf, optional, refuse, string } from '@dalle-mini/core';
import { byteLevelText, byteLevelWords } from './byte-level.js';
import { asOfUnicode16, numeric, punctuation, whitespace } from './characters.js';
import { findParts, type Part, type SplitBehavior, splitBehaviors, splitParts } from './matches.js';
import { pattern } from './patterns.js';
import { type Piece, slicePiece } from './piece.js';
import { kinds } from './sequence.js';

const prependSchemes = ['always', 'first', 'never'] as const;

/** The pre-tokenizers of `tokenizer.json` by their type. */
export type PreTokenizerConfig =
  | { readonly type: 'BertPreTokenizer' | 'Whitespace' | 'WhitespaceSplit' }
  | { readonly type: 'ByteLevel'; readonly add_prefix_space: boolean; readonly use_regex: boolean }
  | { readonly type: 'CharDelimiterSplit'; readonly delimiter: string }
  | { readonly type: 'Digits'; readonly individual_digits: boolean }
  | { readonly type: 'FixedLength'; readonly length: number }
  | {
      readonly type: 'Metaspace';
      readonly replacement: string;
      readonly prepend_scheme: (typeof prependSchemes)[number];
      readonly split: boolean;
    }
  | { readonly type: 'Punctuation'; readonly behavior: SplitBehavior }
  | { readonly type: 'Split'; readonly pattern: RegExp; readonly behavior: SplitBehavior; readonly invert: boolean }
  | { readonly type: 'Sequence'; readonly pretokenizers: readonly PreTokenizerConfig[] };

const character = () => field<string>('one character', (value) => typeof value === 'string' && /^.$/su.test(value));

const metaspaceFile = object(
  {
    type: oneOf(['Metaspace']),
    replacement: character(),
    prepend_scheme: optional(oneOf(prependSchemes)),
    split: optional(boolean(), true),
    // Of files before tokenizers 0.15.1.
    add_prefix_space: optional(boolean()),
    str_rep: optional(string()),
  },
  {
    nullIsAbsent: true,
    check({ add_prefix_space, prepend_scheme }, at) {
      // The reference refuses such a file too.
      if (add_prefix_space === false && prepend_scheme !== undefined && prepend_scheme !== 'never')
        refuse(at('prepend_scheme'), '"never", because add_prefix_space is false', prepend_scheme);
    },
  },
);

const metaspaceField: Field<PreTokenizerConfig> = {
  ...(metaspaceFile as unknown as Field<PreTokenizerConfig>),
  read(value, path) {
    const { replacement, split, add_prefix_space, prepend_scheme } = metaspaceFile.read(value, path);
    const scheme = add_prefix_space === false ? 'never' : (prepend_scheme ?? 'always');
    return { type: 'Metaspace', replacement, split, prepend_scheme: scheme };
  },
};

export const preTokenizerField: Field<PreTokenizerConfig> = kinds<PreTokenizerConfig>((items) => {
  const plain = (type: 'BertPreTokenizer' | 'Whitespace' | 'WhitespaceSplit') => object({ type: oneOf([type]) });
  return {
    BertPreTokenizer: plain('BertPreTokenizer'),
    Whitespace: plain('Whitespace'),
    WhitespaceSplit: plain('WhitespaceSplit'),
    ByteLevel: object({
      type: oneOf(['ByteLevel']),
      add_prefix_space: boolean(),
      // Moves offsets only.
      trim_offsets: optional(boolean()),
      use_regex: optional(boolean(), true),
    }) as Field<PreTokenizerConfig>,
    CharDelimiterSplit: object({ type: oneOf(['CharDelimiterSplit']), delimiter: character() }),
    Digits: object({ type: oneOf(['Digits']), individual_digits: boolean() }),
    FixedLength: object({ type: oneOf(['FixedLength']), length: optional(integer({ min: 1 }), 5) }),
    Metaspace: metaspaceField,
    Punctuation: object({ type: oneOf(['Punctuation']), behavior: optional(oneOf(splitBehaviors), 'Isolated') }),
    Split: object({ type: oneOf(['Split']), pattern: pattern(), behavior: oneOf(splitBehaviors), invert: boolean() }),
    Sequence: object({ type: oneOf(['Sequence']), pretokenizers: items }),
  };
});

/** Splits pieces into words. None of them is empty. */
export function preTokenize(config: PreTokenizerConfig, pieces: readonly Piece[]): readonly Piece[] {
  if (config.type === 'Sequence') return config.pretokenizers.reduce((split, one) => preTokenize(one, split), pieces);
  return pieces.flatMap((piece) => splitPiece(config, piece));
}

function splitPiece(config: Exclude<PreTokenizerConfig, { type: 'Sequence' }>, piece: Piece): readonly Piece[] {
  switch (config.type) {
    case 'BertPreTokenizer':
      return splitAt(piece, whitespace, 'Removed').flatMap((word) => splitAt(word, punctuation, 'Isolated'));
    case 'Whitespace':
      return splitAtExpression(piece, wordsAndSymbols, 'Removed', true);
    case 'WhitespaceSplit':
      return splitAt(piece, whitespace, 'Removed');
    case 'ByteLevel': {
      const { add_prefix_space, use_regex } = config;
      const prefixed = add_prefix_space && !piece.text.startsWith(' ') ? { ...piece, text: ` ${piece.text}` } : piece;
      const words = use_regex ? splitAtExpression(prefixed, byteLevelWords, 'Isolated', false) : [prefixed];
      return words.map((word) => ({ ...word, text: byteLevelText(word.text) }));
    }
    case 'CharDelimiterSplit':
      return splitAtText(piece, config.delimiter, 'Removed');
    case 'Digits':
      return splitAt(piece, numeric, config.individual_digits ? 'Isolated' : 'Contiguous');
    case 'FixedLength':
      return splitByLength(piece, config.length);
    case 'Metaspace':
      return splitAtMetaspaces(config, piece);
    case 'Punctuation':
      return splitAt(piece, punctuation, config.behavior);
    case 'Split':
      return splitAtExpression(piece, config.pattern, config.behavior, config.invert);
  }
}

/** Runs of letters, digits and marks, and runs of what else is not whitespace. */
const wordsAndSymbols = (() => {
  const words = '\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}';
  return new RegExp(`[${words}]+|[^${words}\\p{White_Space}]+`, 'gu');
})();

function splitAt(piece: Piece, characters: RegExp, behavior: SplitBehavior): Piece[] {
  return slicePiece(piece, splitParts(findParts(piece.text, characters), behavior));
}

/** @param invert Whether what lies between the matches counts as a match instead. */
function splitAtExpression(piece: Piece, regex: RegExp, behavior: SplitBehavior, invert: boolean): Piece[] {
  const parts = findParts(asOfUnicode16(piece.text), regex);
  const matches = invert ? parts.map(([start, end, isMatch]): Part => [start, end, !isMatch]) : parts;
  return slicePiece(piece, splitParts(matches, behavior));
}

function splitAtText(piece: Piece, text: string, behavior: SplitBehavior): Piece[] {
  const parts: Part[] = [];
  let end = 0;
  for (let at = piece.text.indexOf(text); at >= 0; at = piece.text.indexOf(text, end)) {
    if (end < at) parts.push([end, at, false]);
    end = at + text.length;
    parts.push([at, end, true]);
  }
  if (end < piece.text.length) parts.push([end, piece.text.length, false]);
  return slicePiece(piece, splitParts(parts, behavior));
}

function splitByLength(piece: Piece, length: number): Piece[] {
  const characters = Array.from(piece.text);
  return Array.from({ length: Math.ceil(characters.length / length) }, (_, i) => ({
    text: characters.slice(i * length, (i + 1) * length).join(''),
    isFirst: piece.isFirst && i === 0,
  }));
}

function splitAtMetaspaces(config: PreTokenizerConfig & { type: 'Metaspace' }, piece: Piece): readonly Piece[] {
  const { replacement, prepend_scheme, split } = config;
  let text = piece.text.replaceAll(' ', () => replacement);
  const prepends = prepend_scheme === 'always' || (prepend_scheme === 'first' && piece.isFirst);
  if (prepends && !text.startsWith(replacement)) text = replacement + text;
  const replaced = { ...piece, text };
  return split ? splitAtText(replaced, replacement, 'MergedWithNext') : [replaced];
}
