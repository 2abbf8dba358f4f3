import { quote } from '@dalle-mini/core';
import { CheckpointError } from '../../errors/checkpoint-error.js';
import { maxEntries, tooManyEntries } from '../layout.js';

/**
 * The safetensors format (https://github.com/huggingface/safetensors): 8 bytes with the header's length N as a
 * little-endian integer, N bytes of JSON with the position of every tensor, then the bytes of the tensors without gaps.
 */

/** Bytes before the header. */
export const prefixLength = 8;

/** The entry of a tensor in the header. Only the JSON types of its fields are checked. */
export interface HeaderEntry {
  readonly dtype: string;
  readonly shape: number[];
  readonly offsets: readonly number[];
}

/**
 * Parses the JSON of a safetensors header: `{"__metadata__": {string: string}, name: {"dtype": string, "shape":
 * [integer], "data_offsets": [integer]}, …}`.
 *
 * `JSON.parse` is not strict enough: it silently keeps the last of two equal names, rounds integers past 2⁵³, and
 * accepts any depth. Here the grammar bounds the depth, and there is no recursion.
 *
 * @param tensor Called with each tensor, in the order of the header.
 * @returns The metadata.
 * @throws CheckpointError with the position of the first fault, or if there are too many entries.
 */
export function parseHeader(
  bytes: Uint8Array,
  tensor: (name: string, entry: HeaderEntry) => void,
): Map<string, string> {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new CheckpointError(
      'The header must be UTF-8. The file is corrupt or not a safetensors file. Download it again.',
    );
  }
  const scanner = new Scanner(text);
  const names = new Set<string>();
  const metadata = new Map<string, string>();
  let metadataSeen = false;
  const checkCount = () => {
    if (names.size + metadata.size >= maxEntries) throw tooManyEntries();
  };
  // Padding may follow the object of the header, but not precede it.
  if (!text.startsWith('{')) scanner.fail('"{"');
  scanner.object((name) => {
    if (name === '__metadata__') {
      if (metadataSeen) scanner.refuse('"__metadata__" appears twice');
      metadataSeen = true;
      scanner.object((key) => {
        checkCount();
        if (metadata.has(key)) scanner.refuse(`metadata ${quote(key)} appears twice`);
        metadata.set(key, scanner.string());
      });
    } else {
      checkCount();
      if (names.has(name)) scanner.refuse(`tensor ${quote(name)} appears twice`);
      names.add(name);
      tensor(name, parseEntry(scanner, name));
    }
  });
  scanner.end();
  return metadata;
}

function parseEntry(scanner: Scanner, name: string): HeaderEntry {
  let dtype: string | undefined;
  let shape: number[] | undefined;
  let offsets: number[] | undefined;
  scanner.object((field) => {
    if (field === 'dtype' && dtype === undefined) dtype = scanner.string();
    else if (field === 'shape' && shape === undefined) shape = scanner.integers();
    else if (field === 'data_offsets' && offsets === undefined) offsets = scanner.integers();
    else scanner.refuse(`tensor ${quote(name)} has the field ${quote(field)}, which is unknown or repeated`);
  });
  if (dtype === undefined || shape === undefined || offsets === undefined) {
    return scanner.refuse(`tensor ${quote(name)} must have dtype, shape and data_offsets`);
  }
  return { dtype, shape, offsets };
}

const [quotation, backslash, digit0, digit9] = [0x22, 0x5c, 0x30, 0x39];

/** Reads JSON tokens in their order. */
class Scanner {
  private position = 0;

  constructor(private readonly text: string) {}

  /** Reads `{…}`, and calls `member` with each key before its value is read. */
  object(member: (key: string) => void): void {
    this.expect('{');
    if (this.accept('}')) return;
    do {
      const key = this.string();
      this.expect(':');
      member(key);
    } while (this.accept(','));
    this.expect('}');
  }

  string(): string {
    this.skipSpace();
    const { text, position: start } = this;
    if (text.charCodeAt(start) !== quotation) return this.fail('a string');
    // Not a regular expression: one with an alternative for escapes overflows the stack on a string of megabytes.
    let isPlain = true;
    let end = start + 1;
    for (let code = text.charCodeAt(end); code !== quotation; code = text.charCodeAt(end)) {
      if (Number.isNaN(code)) break;
      if (code === backslash || code < 0x20) isPlain = false;
      end += code === backslash ? 2 : 1;
    }
    this.position = end + 1;
    if (isPlain && end < text.length) return text.slice(start + 1, end);
    try {
      // JSON.parse decodes escapes, and refuses control characters and a missing end.
      return JSON.parse(text.slice(start, end + 1));
    } catch {
      return this.refuse('a string is not valid JSON');
    }
  }

  integers(): number[] {
    this.expect('[');
    if (this.accept(']')) return [];
    const values = [this.integer()];
    while (this.accept(',')) values.push(this.integer());
    this.expect(']');
    return values;
  }

  private integer(): number {
    this.skipSpace();
    const { text, position: start } = this;
    let value = 0;
    let end = start;
    let code = text.charCodeAt(end);
    while (code >= digit0 && code <= digit9) {
      value = value * 10 + code - digit0;
      code = text.charCodeAt(++end);
    }
    const isJson = end > start && !(end > start + 1 && text.charCodeAt(start) === digit0);
    if (!isJson || '.eE'.includes(text.charAt(end) || ' ') || !Number.isSafeInteger(value)) {
      return this.fail('a whole number from 0 to 2^53 - 1');
    }
    this.position = end;
    return value;
  }

  end(): void {
    this.skipSpace();
    if (this.position < this.text.length) this.fail('nothing more');
  }

  fail(expected: string): never {
    const found = this.text.slice(this.position, this.position + 20);
    return this.refuse(`expected ${expected}, found ${found === '' ? 'the end' : quote(found)}`);
  }

  refuse(fault: string): never {
    throw new CheckpointError(
      `The header is malformed at character ${this.position}: ${fault}. The file is corrupt or not a safetensors file. Download it again.`,
    );
  }

  private expect(character: string): void {
    if (!this.accept(character)) this.fail(JSON.stringify(character));
  }

  private accept(character: string): boolean {
    this.skipSpace();
    if (this.text[this.position] !== character) return false;
    this.position++;
    return true;
  }

  private skipSpace(): void {
    for (;;) {
      const code = this.text.charCodeAt(this.position);
      if (code !== 0x20 && code !== 0x09 && code !== 0x0a && code !== 0x0d) return;
      this.position++;
    }
  }
}
