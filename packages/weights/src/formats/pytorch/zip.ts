import { quote } from '@dalle-mini/core';
import { CheckpointError } from '../../errors/checkpoint-error.js';
import { type ByteSource, uint64 } from '../byte-source.js';
import { type ByteRange, MAX_ENTRIES } from '../layout.js';

/**
 * The part of the zip format (PKWARE's APPNOTE.TXT) that `torch.save` writes: stored entries, with the 64-bit fields of
 * ZIP64 where sizes ask for them. A compressed entry is refused, so a small file cannot become a large one.
 */

const LOCAL_HEADER = 0x04034b50;
const DIRECTORY_ENTRY = 0x02014b50;
const DIRECTORY_END = 0x06054b50;
const ZIP64_LOCATOR = 0x07064b50;
const ZIP64_DIRECTORY_END = 0x06064b50;

const LOCAL_HEADER_LENGTH = 30;
const DIRECTORY_ENTRY_LENGTH = 46;
const DIRECTORY_END_LENGTH = 22;
const ZIP64_LOCATOR_LENGTH = 20;
const ZIP64_DIRECTORY_END_LENGTH = 56;
const MAX_COMMENT_LENGTH = 0xffff;
/** A directory of {@link MAX_ENTRIES} names of ordinary length. */
const MAX_DIRECTORY_LENGTH = 2 ** 24;

/** In place of a 32-bit field whose value stands in the ZIP64 fields. */
const IN_ZIP64 = 0xffffffff;

/** An entry as the directory describes it. */
interface DirectoryEntry {
  readonly name: string;
  readonly size: number;
  /** Where the entry's local header begins. */
  readonly begin: number;
}

/**
 * Where the content of each entry lies.
 * @throws CheckpointError if the archive is truncated or inconsistent, or has entries that are compressed, encrypted, overlap,
 *   share a name or have one that leaves the archive.
 */
export function zipEntries(source: ByteSource): Map<string, ByteRange> {
  const directory = findDirectory(source);
  const entries = readDirectory(source, directory).sort((a, b) => a.begin - b.begin);
  const ranges = new Map<string, ByteRange>();
  let free = 0;
  for (const { name, size, begin } of entries) {
    const what = `Entry ${quote(name)} of the zip archive`;
    if (begin < free) throw new CheckpointError(`${what} overlaps the one before it; the file is corrupt.`);
    if (begin + LOCAL_HEADER_LENGTH > directory.begin) throw beyond(what);
    const header = dataView(source, begin, LOCAL_HEADER_LENGTH);
    if (header.getUint32(0, true) !== LOCAL_HEADER) {
      throw new CheckpointError(`${what} has no header at byte ${begin}, where it should be; the file is corrupt.`);
    }
    const start = begin + LOCAL_HEADER_LENGTH + header.getUint16(26, true) + header.getUint16(28, true);
    free = start + size;
    if (free > directory.begin) throw beyond(what);
    ranges.set(name, { begin: start, end: free });
  }
  return ranges;
}

interface Directory extends ByteRange {
  readonly count: number;
}

function findDirectory(source: ByteSource): Directory {
  const tailLength = Math.min(source.size, DIRECTORY_END_LENGTH + MAX_COMMENT_LENGTH);
  const tailStart = source.size - tailLength;
  const tail = dataView(source, tailStart, tailLength);
  let at = tailLength - DIRECTORY_END_LENGTH;
  // The end's last field is the length of a comment, which reaches to the end of the file.
  while (
    at >= 0 &&
    !(
      tail.getUint32(at, true) === DIRECTORY_END &&
      at + DIRECTORY_END_LENGTH + tail.getUint16(at + 20, true) === tailLength
    )
  ) {
    at--;
  }
  if (at < 0) {
    throw new CheckpointError(
      'The file is a zip archive without the directory at its end; it is truncated. Fetch it again.',
    );
  }
  const end = tailStart + at;
  let count = tail.getUint16(at + 10, true);
  let length = tail.getUint32(at + 12, true);
  let begin = tail.getUint32(at + 16, true);
  let limit = end;
  if (count === 0xffff || length === IN_ZIP64 || begin === IN_ZIP64) {
    const locator = end - ZIP64_LOCATOR_LENGTH;
    if (locator < 0) throw noZip64();
    const locatorView = dataView(source, locator, ZIP64_LOCATOR_LENGTH);
    if (locatorView.getUint32(0, true) !== ZIP64_LOCATOR) throw noZip64();
    limit = uint64(locatorView, 8, true, "The position of the zip archive's directory");
    if (limit + ZIP64_DIRECTORY_END_LENGTH > locator) throw noZip64();
    const zip64 = dataView(source, limit, ZIP64_DIRECTORY_END_LENGTH);
    if (zip64.getUint32(0, true) !== ZIP64_DIRECTORY_END) throw noZip64();
    count = uint64(zip64, 32, true, 'The number of entries of the zip archive');
    length = uint64(zip64, 40, true, "The length of the zip archive's directory");
    begin = uint64(zip64, 48, true, "The position of the zip archive's directory");
  }
  if (begin + length > limit) {
    throw new CheckpointError(
      `The zip archive's directory of ${length} bytes at byte ${begin} does not fit before byte ${limit}; the file is corrupt.`,
    );
  }
  if (count > MAX_ENTRIES || length > MAX_DIRECTORY_LENGTH) {
    throw new CheckpointError(
      `The zip archive has a directory of ${count} entries and ${length} bytes, past the limits of ${MAX_ENTRIES} and ${MAX_DIRECTORY_LENGTH}.`,
    );
  }
  return { begin, end: begin + length, count };
}

function readDirectory(source: ByteSource, directory: Directory): DirectoryEntry[] {
  const bytes = source.read(directory.begin, directory.end - directory.begin);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const utf8 = new TextDecoder('utf-8');
  const entries = new Map<string, DirectoryEntry>();
  let at = 0;
  for (let i = 0; i < directory.count; i++) {
    if (at + DIRECTORY_ENTRY_LENGTH > bytes.byteLength || view.getUint32(at, true) !== DIRECTORY_ENTRY) {
      throw new CheckpointError(
        `The zip archive announces ${directory.count} entries, but its directory has ${i}; the file is corrupt.`,
      );
    }
    const nameStart = at + DIRECTORY_ENTRY_LENGTH;
    const extraStart = nameStart + view.getUint16(at + 28, true);
    const extraEnd = extraStart + view.getUint16(at + 30, true);
    const next = extraEnd + view.getUint16(at + 32, true);
    if (next > bytes.byteLength) {
      throw new CheckpointError(`Entry ${i} of the zip archive reaches past the directory's end; the file is corrupt.`);
    }
    const name = utf8.decode(bytes.subarray(nameStart, extraStart));
    const what = `Entry ${quote(name)} of the zip archive`;
    if (!isInside(name)) {
      throw new CheckpointError(
        `${what} has a name that leaves the archive; torch.save writes none. Do not trust the file.`,
      );
    }
    const flags = view.getUint16(at + 8, true);
    const method = view.getUint16(at + 10, true);
    if (method !== 0 || (flags & 1) !== 0) {
      throw new CheckpointError(
        `${what} is ${flags & 1 ? 'encrypted' : `compressed (method ${method})`}; torch.save stores entries as they are. ` +
          'Unpack the archive and pack it with zip -0.',
      );
    }
    const { size, compressedSize, begin } = sizes(view, at, extraStart, extraEnd, what);
    if (size !== compressedSize) {
      throw new CheckpointError(
        `${what} is stored, but has two sizes: ${size} and ${compressedSize}; the file is corrupt.`,
      );
    }
    if (entries.has(name)) throw new CheckpointError(`${what} appears twice; the file is corrupt.`);
    entries.set(name, { name, size, begin });
    at = next;
  }
  return [...entries.values()];
}

/** The sizes and the position of the directory's entry at `at`, from its ZIP64 field, among the extra ones, where there is one. */
function sizes(view: DataView, at: number, extraStart: number, extraEnd: number, what: string) {
  const values = {
    size: view.getUint32(at + 24, true),
    compressedSize: view.getUint32(at + 20, true),
    begin: view.getUint32(at + 42, true),
  };
  for (let field = extraStart; field + 4 <= extraEnd; field += 4 + view.getUint16(field + 2, true)) {
    if (view.getUint16(field, true) !== 1) continue;
    const end = Math.min(extraEnd, field + 4 + view.getUint16(field + 2, true));
    let position = field + 4;
    // The field has only the values that did not fit, in this order.
    for (const key of ['size', 'compressedSize', 'begin'] as const) {
      if (values[key] !== IN_ZIP64 || position + 8 > end) continue;
      values[key] = uint64(view, position, true, `The ${key} of ${what}`);
      position += 8;
    }
    break;
  }
  return values;
}

/** Whether a path stays in the folder that the archive is unpacked to. Nothing is unpacked here: others may do so. */
function isInside(name: string): boolean {
  return !/^\/|^[A-Za-z]:|[\\\0]|(^|\/)\.\.(\/|$)/.test(name);
}

function dataView(source: ByteSource, position: number, length: number): DataView {
  const bytes = source.read(position, length);
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function noZip64(): CheckpointError {
  return new CheckpointError('The zip archive announces 64-bit fields that are not there; the file is corrupt.');
}

function beyond(what: string): CheckpointError {
  return new CheckpointError(
    `${what} reaches past where entries end; the file is truncated or corrupt. Fetch it again.`,
  );
}
