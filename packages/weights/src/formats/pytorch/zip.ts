import { quote } from '@dalle-mini/core';
import { CheckpointError, corrupt } from '../../errors/checkpoint-error.js';
import { type ByteSource, uint64 } from '../byte-source.js';
import { type ByteRange, maxEntries } from '../layout.js';

/**
 * The part of the zip format (PKWARE's APPNOTE.TXT) that `torch.save` writes: stored entries, with the 64-bit fields of
 * ZIP64 for large sizes. A compressed entry is refused, so that a small file cannot become a large one, except the code
 * of TorchScript, which is not read.
 */

const localHeaderSignature = 0x04034b50;
const directoryEntrySignature = 0x02014b50;
const directoryEndSignature = 0x06054b50;
const zip64LocatorSignature = 0x07064b50;
const zip64DirectoryEndSignature = 0x06064b50;

const localHeaderLength = 30;
const directoryEntryLength = 46;
const directoryEndLength = 22;
const zip64LocatorLength = 20;
const zip64DirectoryEndLength = 56;
const maxCommentLength = 0xffff;
/** A directory of {@link maxEntries} names of ordinary length. */
const maxDirectoryLength = 2 ** 24;

/** The value of a 32-bit field whose real value is in the ZIP64 fields. */
const inZip64 = 0xffffffff;

/** An entry as the directory describes it. */
interface DirectoryEntry {
  readonly name: string;
  readonly size: number;
  /** Where the entry's local header begins. */
  readonly begin: number;
  /** False for the code of TorchScript. */
  readonly isRead: boolean;
}

/**
 * Returns the position of the content of each entry.
 * @throws CheckpointError if the archive is truncated or inconsistent, or has entries that are compressed, encrypted,
 *   overlap, share a name, or have a name that leads out of the archive.
 */
export function zipEntries(source: ByteSource): Map<string, ByteRange> {
  const directory = findDirectory(source);
  const entries = readDirectory(source, directory).sort((a, b) => a.begin - b.begin);
  const ranges = new Map<string, ByteRange>();
  let free = 0;
  for (const { name, size, begin, isRead } of entries) {
    const what = `Entry ${quote(name)} of the zip archive`;
    if (begin < free) throw corrupt(`${what} overlaps the entry before it`);
    if (begin + localHeaderLength > directory.begin) throw beyond(what);
    const header = dataView(source, begin, localHeaderLength);
    if (header.getUint32(0, true) !== localHeaderSignature) {
      throw corrupt(`${what} has no header at byte ${begin}, where it should be`);
    }
    const start = begin + localHeaderLength + header.getUint16(26, true) + header.getUint16(28, true);
    free = start + size;
    if (free > directory.begin) throw beyond(what);
    if (isRead) ranges.set(name, { begin: start, end: free });
  }
  return ranges;
}

interface Directory extends ByteRange {
  readonly count: number;
}

function findDirectory(source: ByteSource): Directory {
  const tailLength = Math.min(source.size, directoryEndLength + maxCommentLength);
  const tailStart = source.size - tailLength;
  const tail = dataView(source, tailStart, tailLength);
  let at = tailLength - directoryEndLength;
  // The last field of the end record is the length of a comment, which ends with the file.
  while (
    at >= 0 &&
    !(
      tail.getUint32(at, true) === directoryEndSignature &&
      at + directoryEndLength + tail.getUint16(at + 20, true) === tailLength
    )
  ) {
    at--;
  }
  if (at < 0) {
    throw new CheckpointError(
      'The file is a zip archive without the directory at its end. It is truncated. Download it again.',
    );
  }
  const end = tailStart + at;
  let count = tail.getUint16(at + 10, true);
  let length = tail.getUint32(at + 12, true);
  let begin = tail.getUint32(at + 16, true);
  let limit = end;
  if (count === 0xffff || length === inZip64 || begin === inZip64) {
    const locator = end - zip64LocatorLength;
    if (locator < 0) throw noZip64();
    const locatorView = dataView(source, locator, zip64LocatorLength);
    if (locatorView.getUint32(0, true) !== zip64LocatorSignature) throw noZip64();
    limit = uint64(locatorView, 8, true, "The position of the zip archive's directory");
    if (limit + zip64DirectoryEndLength > locator) throw noZip64();
    const zip64 = dataView(source, limit, zip64DirectoryEndLength);
    if (zip64.getUint32(0, true) !== zip64DirectoryEndSignature) throw noZip64();
    count = uint64(zip64, 32, true, 'The number of entries of the zip archive');
    length = uint64(zip64, 40, true, "The length of the zip archive's directory");
    begin = uint64(zip64, 48, true, "The position of the zip archive's directory");
  }
  if (begin + length > limit) {
    throw corrupt(`The zip archive's directory of ${length} bytes at byte ${begin} does not fit before byte ${limit}`);
  }
  if (count > maxEntries || length > maxDirectoryLength) {
    throw new CheckpointError(
      `The directory of the zip archive must have at most ${maxEntries} entries and ${maxDirectoryLength} bytes, not ${count} and ${length}. Split the checkpoint.`,
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
    if (at + directoryEntryLength > bytes.byteLength || view.getUint32(at, true) !== directoryEntrySignature) {
      throw corrupt(`The zip archive announces ${directory.count} entries, but its directory has ${i}`);
    }
    const nameStart = at + directoryEntryLength;
    const extraStart = nameStart + view.getUint16(at + 28, true);
    const extraEnd = extraStart + view.getUint16(at + 30, true);
    const next = extraEnd + view.getUint16(at + 32, true);
    if (next > bytes.byteLength) {
      throw corrupt(`Entry ${i} of the zip archive reaches past the directory's end`);
    }
    const name = utf8.decode(bytes.subarray(nameStart, extraStart));
    const what = `Entry ${quote(name)} of the zip archive`;
    if (!isInside(name)) {
      throw new CheckpointError(
        `${what} has a name that leads out of the archive, which torch.save does not write. Do not trust the file.`,
      );
    }
    const flags = view.getUint16(at + 8, true);
    const method = view.getUint16(at + 10, true);
    const isRead = !/^[^/]+\/code\//.test(name);
    if (isRead && (method !== 0 || (flags & 1) !== 0)) {
      throw new CheckpointError(
        `${what} is ${flags & 1 ? 'encrypted' : `compressed (method ${method})`}, and torch.save writes neither. ` +
          'Unpack the archive and pack it with zip -0.',
      );
    }
    const { size, compressedSize, begin } = sizes(view, at, extraStart, extraEnd, what);
    if (isRead && size !== compressedSize) {
      throw corrupt(`${what} is stored, but has two sizes: ${size} and ${compressedSize}`);
    }
    if (entries.has(name)) throw corrupt(`${what} appears twice`);
    entries.set(name, { name, size: compressedSize, begin, isRead });
    at = next;
  }
  return [...entries.values()];
}

/**
 * Reads the sizes and the position of the directory entry at `at`. They may be in a ZIP64 field among its extra fields.
 */
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
    // The field has only the values that did not fit into 32 bits, in this order.
    for (const key of ['size', 'compressedSize', 'begin'] as const) {
      if (values[key] !== inZip64 || position + 8 > end) continue;
      values[key] = uint64(view, position, true, `The ${key} of ${what}`);
      position += 8;
    }
    break;
  }
  return values;
}

/**
 * Checks whether a path stays in the folder that an archive is unpacked to. Nothing is unpacked here, but other
 * programs may do so.
 */
function isInside(name: string): boolean {
  return !/^\/|^[A-Za-z]:|[\\\0]|(^|\/)\.\.(\/|$)/.test(name);
}

function dataView(source: ByteSource, position: number, length: number): DataView {
  const bytes = source.read(position, length);
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function noZip64(): CheckpointError {
  return corrupt('The zip archive announces 64-bit fields that are not there');
}

function beyond(what: string): CheckpointError {
  return new CheckpointError(
    `${what} reaches past the end of the entries. The file is truncated or corrupt. Download it again.`,
  );
}
