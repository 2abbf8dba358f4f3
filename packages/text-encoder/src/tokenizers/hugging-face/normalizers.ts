/** The `normalizer` of `tokenizer.json`. */
import { boolean, type Field, object, oneOf, optional, refuse, string } from '@dalle-mini/core';
import { byteLevelText } from './byte-level.js';
import {
  asOfUnicode16,
  combiningMarks,
  nonspacingMarks,
  normalizeUnicode,
  removedByBert,
  toLowerCase,
  whitespace,
} from './characters.js';
import { applyCharsmap, type Charsmap, parseCharsmap } from './charsmap.js';
import { findParts } from './matches.js';
import { pattern } from './patterns.js';
import type { Piece } from './piece.js';
import { kinds } from './sequence.js';

const unicodeForms = ['NFC', 'NFD', 'NFKC', 'NFKD'] as const;

/** The normalizers of `tokenizer.json` by their type. */
export type NormalizerConfig =
  | {
      readonly type: 'BertNormalizer';
      readonly clean_text: boolean;
      readonly handle_chinese_chars: boolean;
      readonly strip_accents?: boolean | undefined;
      readonly lowercase: boolean;
    }
  | { readonly type: (typeof unicodeForms)[number] | 'Lowercase' | 'StripAccents' | 'Nmt' | 'ByteLevel' }
  | { readonly type: 'Strip'; readonly strip_left: boolean; readonly strip_right: boolean }
  | { readonly type: 'Replace'; readonly pattern: RegExp; readonly content: string }
  | { readonly type: 'Prepend'; readonly prepend: string }
  | { readonly type: 'Precompiled'; readonly precompiled_charsmap: Charsmap }
  | { readonly type: 'Sequence'; readonly normalizers: readonly NormalizerConfig[] };

const charsmap: Field<Charsmap> = {
  expected: 'a charsmap of SentencePiece in base64',
  isOptional: false,
  read(value, path) {
    const map = parseCharsmap(string().read(value, path));
    return typeof map === 'string' ? refuse(path, `a charsmap of SentencePiece: it must ${map}`, value) : map;
  },
};

const nullable = { nullIsAbsent: true } as const;

export const normalizerField: Field<NormalizerConfig> = kinds<NormalizerConfig>((items) => {
  const plain = <const Type extends NormalizerConfig['type']>(type: Type) =>
    object<{ type: Type }>({ type: oneOf([type]) as unknown as Field<Type> }) as unknown as Field<NormalizerConfig>;
  return {
    BertNormalizer: object(
      {
        type: oneOf(['BertNormalizer']),
        clean_text: optional(boolean(), true),
        handle_chinese_chars: optional(boolean(), true),
        strip_accents: optional(boolean()),
        lowercase: optional(boolean(), true),
      },
      nullable,
    ),
    NFC: plain('NFC'),
    NFD: plain('NFD'),
    NFKC: plain('NFKC'),
    NFKD: plain('NFKD'),
    Lowercase: plain('Lowercase'),
    StripAccents: plain('StripAccents'),
    Nmt: plain('Nmt'),
    ByteLevel: plain('ByteLevel'),
    Strip: object({ type: oneOf(['Strip']), strip_left: boolean(), strip_right: boolean() }),
    Replace: object({ type: oneOf(['Replace']), pattern: pattern(), content: string({ minLength: 0 }) }),
    Prepend: object({ type: oneOf(['Prepend']), prepend: string({ minLength: 0 }) }),
    Precompiled: object({ type: oneOf(['Precompiled']), precompiled_charsmap: charsmap }),
    Sequence: object({ type: oneOf(['Sequence']), normalizers: items }),
  };
});

/** Applies a normalizer. */
export function normalize(config: NormalizerConfig, piece: Piece): Piece {
  const changed = (text: string): Piece => ({ ...piece, text });
  switch (config.type) {
    case 'BertNormalizer':
      return bertNormalize(config, piece);
    case 'NFC':
    case 'NFD':
    case 'NFKC':
    case 'NFKD':
      return changed(normalizeUnicode(piece.text, config.type));
    case 'Lowercase':
      return changed(toLowerCase(piece.text));
    case 'StripAccents':
      return without(combiningMarks, piece);
    case 'Nmt':
      return nmtNormalize(piece);
    case 'ByteLevel':
      return changed(byteLevelText(piece.text));
    case 'Strip':
      return strip(config, piece);
    case 'Replace':
      return replace(config, piece);
    case 'Prepend':
      return piece.text === '' ? piece : changed(config.prepend + piece.text);
    case 'Precompiled':
      return changed(applyCharsmap(config.precompiled_charsmap, piece.text));
    case 'Sequence':
      return config.normalizers.reduce((normalized, one) => normalize(one, normalized), piece);
  }
}

/** Removes characters from a piece. */
function without(characters: RegExp, { text, isFirst }: Piece): Piece {
  return { text: text.replace(characters, ''), isFirst: isFirst && text.search(characters) !== 0 };
}

/** The ideographs that BERT reads as words. The gap in the ranges is that of the reference. */
const ideographs =
  /[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u{20000}-\u{2a6df}\u{2a700}-\u{2b81f}\u{2b920}-\u{2ceaf}\u{2f800}-\u{2fa1f}]/gu;

function bertNormalize(config: NormalizerConfig & { type: 'BertNormalizer' }, given: Piece): Piece {
  const { clean_text, handle_chinese_chars, lowercase, strip_accents = lowercase } = config;
  let piece = given;
  if (clean_text) {
    const cleaned = without(removedByBert, piece);
    piece = { ...cleaned, text: cleaned.text.replace(whitespace, ' ') };
  }
  if (handle_chinese_chars) piece = { ...piece, text: piece.text.replace(ideographs, ' $& ') };
  if (strip_accents) piece = without(nonspacingMarks, { ...piece, text: normalizeUnicode(piece.text, 'NFD') });
  return lowercase ? { ...piece, text: toLowerCase(piece.text) } : piece;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: the characters that this normalizer removes.
const removedByNmt = /[\u0001-\u0008\u000b\u000e-\u001f\u007f\u008f\u009f]/gu;
const spacesOfNmt = /[\t\n\f\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]/gu;

/** The normalization of machine translation in SentencePiece. */
function nmtNormalize(piece: Piece): Piece {
  const { text, isFirst } = without(removedByNmt, piece);
  return { text: text.replace(spacesOfNmt, ' '), isFirst };
}

function strip({ strip_left, strip_right }: { strip_left: boolean; strip_right: boolean }, piece: Piece): Piece {
  let { text, isFirst } = piece;
  if (strip_left) {
    isFirst &&= text.search(whitespace) !== 0;
    text = text.replace(/^\p{White_Space}+/u, '');
  }
  // Not with one regular expression, which would be slow in texts with much whitespace.
  if (strip_right) while (/\p{White_Space}$/u.test(text.slice(-1))) text = text.slice(0, -1);
  return { text, isFirst };
}

function replace({ pattern, content }: { pattern: RegExp; content: string }, { text, isFirst }: Piece): Piece {
  const parts = findParts(asOfUnicode16(text), pattern);
  const [start, end, isMatch] = parts[0] ?? [0, 0, false];
  // The reference counts new characters to the last one that they replace.
  const moves = isMatch && end > start && (content === '' || Array.from(text.slice(start, end)).length > 1);
  return {
    text: parts.map(([start, end, isMatch]) => (isMatch ? content : text.slice(start, end))).join(''),
    isFirst: isFirst && !moves,
  };
}
