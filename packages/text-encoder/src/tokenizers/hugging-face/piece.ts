/** A part of a caption that is normalized, split and tokenized apart from the others. */
export interface Piece {
  readonly text: string;
  /** Whether it begins with the first character of the caption, which `prepend_scheme: "first"` asks for. */
  readonly isFirst: boolean;
}

/** Returns parts of a piece, each from a start to an end. */
export function slicePiece({ text, isFirst }: Piece, parts: readonly (readonly [number, number])[]): Piece[] {
  return parts.map(([start, end]) => ({ text: text.slice(start, end), isFirst: isFirst && start === 0 }));
}
