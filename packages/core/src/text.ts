import { DalleMiniError } from './errors.js';

/** A text is in another encoding than expected, or damaged. The message names its source and the line. */
export class EncodingError extends DalleMiniError {
  static override readonly code = 'ENCODING';

  /** @param line The number of the first bad line, from 1. */
  constructor(
    readonly source: string,
    readonly line: number,
    problem: string,
    options?: ErrorOptions,
  ) {
    super(`${source}, line ${line} ${problem}`, options);
  }
}

const byteOrderMarks = [
  // UTF-32 first: its little-endian mark begins with that of UTF-16.
  { encoding: 'utf-32', bytes: [0xff, 0xfe, 0, 0] },
  { encoding: 'utf-32', bytes: [0, 0, 0xfe, 0xff] },
  { encoding: 'utf-8', bytes: [0xef, 0xbb, 0xbf] },
  { encoding: 'utf-16le', bytes: [0xff, 0xfe] },
  { encoding: 'utf-16be', bytes: [0xfe, 0xff] },
] as const;

/** Encodings whose texts are valid UTF-8 too, with another meaning. */
const validAsUtf8: ReadonlySet<string> = new Set(['iso-2022-jp', 'utf-16le', 'utf-16be']);
/** Number of bytes that {@link unmarkedUtf16} looks at. */
const probeLength = 4096;

/**
 * Decodes the bytes of a text: UTF-8, or UTF-16 with a byte order mark or without one if most characters are ASCII. The
 * text is without its byte order mark.
 *
 * @param source The start of an error message: the file's path.
 * @param encoding How to read a text that is neither: a label of the Encoding Standard such as `windows-1252`. Without
 *   it, such a text is refused.
 * @throws EncodingError if the bytes are not of that encoding, or if the text contains NUL characters.
 */
export function decodeText(bytes: Uint8Array, source: string, encoding?: string): string {
  const marked = byteOrderMarks.find((mark) => mark.bytes.every((byte, i) => bytes[i] === byte))?.encoding;
  if (marked === 'utf-32') throw new EncodingError(source, 1, `is UTF-32. Save the text as UTF-8.`);
  const found =
    marked ??
    unmarkedUtf16(bytes) ??
    (encoding && validAsUtf8.has(new TextDecoder(encoding).encoding) ? encoding : 'utf-8');
  const text =
    tryDecode(bytes, found) ??
    (encoding === undefined || marked !== undefined ? undefined : tryDecode(bytes, encoding)) ??
    refuseBytes(bytes, found, source, marked === undefined ? encoding : undefined);
  const nul = text.indexOf('\0');
  if (nul !== -1)
    throw new EncodingError(
      source,
      lineOf(text, nul),
      'has a NUL character, which no text has: the file is damaged or not a text. Replace it.',
    );
  return text;
}

function tryDecode(bytes: Uint8Array, encoding: string): string | undefined {
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) return undefined;
    throw error;
  }
}

/** Recognizes UTF-16 by the zero bytes of ASCII characters: in most pairs of bytes, always at the same place. */
function unmarkedUtf16(bytes: Uint8Array): 'utf-16le' | 'utf-16be' | undefined {
  const length = Math.min(bytes.length - (bytes.length % 2), probeLength);
  if (length === 0 || bytes.length % 2 === 1) return undefined;
  let even = 0;
  let odd = 0;
  for (let i = 0; i < length; i += 2) {
    if (bytes[i] === 0 && bytes[i + 1] !== 0) even++;
    if (bytes[i + 1] === 0 && bytes[i] !== 0) odd++;
  }
  const most = length / 4;
  if (odd > most && even === 0) return 'utf-16le';
  if (even > most && odd === 0) return 'utf-16be';
  return undefined;
}

/** Throws the error for bytes that are not of an encoding. Names the first line that is not. */
function refuseBytes(bytes: Uint8Array, found: string, source: string, encoding: string | undefined): never {
  const tried = encoding === undefined || encoding === found ? [found] : [found, encoding];
  const names = tried.map((name) => name.toUpperCase()).join(' nor ');
  const is = tried.length === 1 ? 'is not valid' : 'is neither';
  const action = encoding === undefined ? ', or set its encoding, such as windows-1252' : ', or set another encoding';
  throw new EncodingError(source, badLine(bytes, found), `${is} ${names}. Save the text as UTF-8${action}.`);
}

function badLine(bytes: Uint8Array, encoding: string): number {
  // A lossy text has a replacement character where the bytes are not of the encoding. The text may also have had one.
  const lossy = new TextDecoder(encoding).decode(bytes);
  if (encoding !== 'utf-8') return lineOf(lossy, Math.max(0, lossy.indexOf('\ufffd')));
  let line = 1;
  for (let start = 0; start < bytes.length; line++) {
    const end = bytes.indexOf(10, start) === -1 ? bytes.length : bytes.indexOf(10, start) + 1;
    if (tryDecode(bytes.subarray(start, end), encoding) === undefined) return line;
    start = end;
  }
  return 1;
}

function lineOf(text: string, index: number): number {
  return text.slice(0, index).split('\n').length;
}
