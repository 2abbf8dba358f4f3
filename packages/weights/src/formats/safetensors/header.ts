import { CheckpointError } from '../../errors/checkpoint-error.js';

/**
 * The safetensors format (https://github.com/huggingface/safetensors): 8 bytes with the header's length N as a little-endian
 * integer, N bytes of JSON that place every tensor, then the tensors' bytes without gaps.
 */

/** Bytes before the header. */
export const PREFIX_LENGTH = 8;

/** A tensor's entry in the header, with its fields of the right JSON types and nothing more checked. */
export interface HeaderEntry {
  readonly dtype: string;
  readonly shape: number[];
  readonly data_offsets: number[];
}

export interface ParsedHeader {
  readonly tensors: Map<string, HeaderEntry>;
  readonly metadata: Map<string, string>;
}

/**
 * Parses the one JSON shape that a safetensors header may have:
 * `{"__metadata__": {string: string}, name: {"dtype": string, "shape": [integer], "data_offsets": [integer]}, …}`.
 *
 * `JSON.parse` would not do: it keeps the last of two equal names in silence, rounds integers past 2⁵³ and nests as deep as
 * the file likes. Here depth is bounded by the grammar and there is no recursion.
 * @throws CheckpointError with the position of the first fault.
 */
export function parseHeader(bytes: Uint8Array): ParsedHeader {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new CheckpointError('The header is not UTF-8; the file is corrupt or not a safetensors file.');
  }
  const scanner = new Scanner(text);
  const tensors = new Map<string, HeaderEntry>();
  const metadata = new Map<string, string>();
  let metadataSeen = false;
  // Padding may follow the header's object, never precede it.
  if (!text.startsWith('{')) scanner.fail('"{"');
  scanner.object((name) => {
    if (name === '__metadata__') {
      if (metadataSeen) scanner.refuse('"__metadata__" appears twice');
      metadataSeen = true;
      scanner.object((key) => {
        if (metadata.has(key)) scanner.refuse(`metadata ${JSON.stringify(key)} appears twice`);
        metadata.set(key, scanner.string());
      });
    } else {
      if (tensors.has(name)) scanner.refuse(`tensor ${JSON.stringify(name)} appears twice`);
      tensors.set(name, parseEntry(scanner, name));
    }
  });
  scanner.end();
  return { tensors, metadata };
}

function parseEntry(scanner: Scanner, name: string): HeaderEntry {
  let dtype: string | undefined;
  let shape: number[] | undefined;
  let offsets: number[] | undefined;
  scanner.object((field) => {
    if (field === 'dtype' && dtype === undefined) dtype = scanner.string();
    else if (field === 'shape' && shape === undefined) shape = scanner.integers();
    else if (field === 'data_offsets' && offsets === undefined) offsets = scanner.integers();
    else scanner.refuse(`tensor ${JSON.stringify(name)} has the field ${JSON.stringify(field)}, unknown or repeated`);
  });
  if (dtype === undefined || shape === undefined || offsets === undefined) {
    return scanner.refuse(`tensor ${JSON.stringify(name)} needs dtype, shape and data_offsets`);
  }
  return { dtype, shape, data_offsets: offsets };
}

/** Reads JSON tokens one after the other. */
class Scanner {
  private position = 0;

  constructor(private readonly text: string) {}

  /** Reads `{…}` and calls `member` with each key when its value is next. */
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
    const start = this.position;
    if (this.text[start] !== '"') return this.fail('a string');
    // Scanned by hand: a regular expression with an alternative for escapes runs out of stack on a string of megabytes.
    let end = start + 1;
    while (end < this.text.length && this.text[end] !== '"') end += this.text[end] === '\\' ? 2 : 1;
    this.position = end + 1;
    try {
      // Escapes, forbidden control characters and a missing end are JSON's own business.
      return JSON.parse(this.text.slice(start, end + 1));
    } catch {
      return this.refuse('a string is not valid JSON');
    }
  }

  integers(): number[] {
    const values: number[] = [];
    this.expect('[');
    if (this.accept(']')) return values;
    do {
      const literal = this.match(/(?:0|[1-9]\d*)(?![\d.eE])/y);
      const value = Number(literal);
      if (literal === undefined || !Number.isSafeInteger(value)) {
        return this.fail('a whole number from 0 to 2^53 - 1');
      }
      values.push(value);
    } while (this.accept(','));
    this.expect(']');
    return values;
  }

  end(): void {
    this.skipSpace();
    if (this.position < this.text.length) this.fail('nothing more');
  }

  fail(expected: string): never {
    const found = this.text.slice(this.position, this.position + 20);
    return this.refuse(`expected ${expected}, found ${found === '' ? 'its end' : JSON.stringify(found)}`);
  }

  refuse(fault: string): never {
    throw new CheckpointError(
      `The header is malformed at character ${this.position}: ${fault.slice(0, 300)}. The file is corrupt or not a safetensors file.`,
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

  private match(pattern: RegExp): string | undefined {
    this.skipSpace();
    pattern.lastIndex = this.position;
    const found = pattern.exec(this.text)?.[0];
    if (found !== undefined) this.position += found.length;
    return found;
  }

  private skipSpace(): void {
    while (' \t\n\r'.includes(this.text[this.position] ?? 'end')) this.position++;
  }
}
