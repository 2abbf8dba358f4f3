/** The `added_tokens` of `tokenizer.json`, which are found in captions before everything else. */
import { boolean, type Field, integer, list, object, optional, string } from '@dalle-mini/core';
import { asOfUnicode16 } from './characters.js';
import { type Piece, slicePiece } from './piece.js';
import { largestId } from './vocabulary.js';

export interface AddedToken {
  readonly id: number;
  readonly content: string;
  /** Whether it is found only where no word continues on either side. */
  readonly single_word: boolean;
  /** Whether whitespace before it belongs to it. */
  readonly lstrip: boolean;
  /** Whether whitespace after it belongs to it. */
  readonly rstrip: boolean;
  /** Whether it is found in the normalized caption, by its normalized content. */
  readonly normalized: boolean;
}

const addedTokenFile = object<Omit<AddedToken, 'normalized'> & { special: boolean; normalized?: boolean | undefined }>(
  {
    id: integer({ max: largestId }),
    content: string(),
    single_word: optional(boolean(), false),
    lstrip: optional(boolean(), false),
    rstrip: optional(boolean(), false),
    normalized: optional(boolean()),
    special: optional(boolean(), false),
  },
  { nullIsAbsent: true },
);

export const addedTokensField: Field<readonly AddedToken[]> = list({
  expected: addedTokenFile.expected,
  isOptional: false,
  read(value, path): AddedToken {
    const { special, normalized = !special, ...token } = addedTokenFile.read(value, path);
    return { ...token, normalized };
  },
});

/** A piece of a caption, or the id of an added token in its place. */
export type PieceOrToken = Piece | number;

/** Splits pieces at added tokens. Of several that begin at one place, the longest is found. */
export type AddedTokenSplitter = (pieces: readonly PieceOrToken[]) => PieceOrToken[];

/** @param contents The text by which each token is found. */
export function addedTokenSplitter(contents: ReadonlyMap<string, AddedToken>): AddedTokenSplitter {
  if (contents.size === 0) return (pieces) => [...pieces];
  const longestFirst = [...contents.keys()].sort((a, b) => b.length - a.length);
  const escaped = longestFirst.map((content) => content.replace(/[$()*+.?[\\\]^{|}/-]/g, '\\$&'));
  const regex = new RegExp(escaped.join('|'), 'gu');

  const split = (piece: Piece): PieceOrToken[] => {
    const { text } = piece;
    const parts: PieceOrToken[] = [];
    let end = 0;
    const addText = (until: number) => {
      if (end < until) parts.push(...slicePiece(piece, [[end, until]]));
    };
    for (const { 0: content, index } of text.matchAll(regex)) {
      const token = contents.get(content)!;
      let [start, stop] = [index, index + content.length];
      if (token.single_word && (endsWithWord(text.slice(0, start)) || startsWithWord(text.slice(stop)))) continue;
      if (token.lstrip) while (start > end && isWhitespace(text[start - 1]!)) start--;
      if (token.rstrip) while (stop < text.length && isWhitespace(text[stop]!)) stop++;
      addText(start);
      parts.push(token.id);
      end = stop;
    }
    addText(text.length);
    return parts;
  };
  return (pieces) => pieces.flatMap((piece) => (typeof piece === 'number' ? [piece] : split(piece)));
}

const wordCharacters = '[\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\p{Join_Control}]';
const lastWordCharacter = new RegExp(`${wordCharacters}$`, 'u');
const firstWordCharacter = new RegExp(`^${wordCharacters}`, 'u');

const isWhitespace = (unit: string) => /\p{White_Space}/u.test(unit);

// A character is at most two units.
const endsWithWord = (text: string) => lastWordCharacter.test(asOfUnicode16(text.slice(-2)));
const startsWithWord = (text: string) => firstWordCharacter.test(asOfUnicode16(text.slice(0, 2)));
