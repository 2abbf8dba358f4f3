import type { FileHandle } from 'node:fs/promises';
import { quote } from '@dalle-mini/core';
import { openFile, withFileErrors } from '@dalle-mini/core/node';
import { DataError } from '../data-error.js';
import { isLfsPointer, lfsAction } from '../image-formats.js';
import { isIgnored } from './ignored-names.js';

/** The members of an archive. */
export interface TarIndex {
  readonly members: readonly TarMember[];
  /** Members that are no plain files, or whose names lead out of the folder. */
  readonly refused: readonly RefusedMember[];
}

/** A member that is never read. */
export interface RefusedMember extends Pick<TarMember, 'name' | 'part'> {
  readonly reason: 'not-a-file' | 'outside';
  readonly message: string;
}

/** A plain file inside a tar archive: its bytes are `[offset, offset + size)` of the archive. */
export interface TarMember {
  readonly name: string;
  readonly offset: number;
  readonly size: number;
  /** The number of the archive in the file, from 0: `cat` joins archives to one file with several. */
  readonly part: number;
}

const blockSize = 512;
/** First bytes of other files than archives, and what to do with them. */
const otherFiles = [
  { bytes: [0x28, 0xb5, 0x2f, 0xfd], problem: 'compressed with Zstandard', action: 'Decompress it with zstd -d.' },
  { bytes: [0x42, 0x5a, 0x68], problem: 'compressed with bzip2', action: 'Decompress it with bunzip2.' },
  { bytes: [0xfd, 0x37, 0x7a, 0x58, 0x5a], problem: 'compressed with xz', action: 'Decompress it with unxz.' },
  { bytes: [0x04, 0x22, 0x4d, 0x18], problem: 'compressed with LZ4', action: 'Decompress it with lz4 -d.' },
  { bytes: [0x50, 0x4b, 0x03, 0x04], problem: 'a zip archive', action: 'Repack it with tar.' },
];
/** What extended headers say of the next member. */
interface ExtendedHeader {
  name?: string;
  size?: number;
  sparse?: boolean;
}

/** Limit of an extended header in bytes. Usual ones have a path and a few numbers. */
const extendedHeaderLimit = 64 * 1024;

/**
 * Lists the plain files of a tar archive (POSIX ustar and pax, GNU). It reads only the headers. Links, devices, sparse files
 * and names that lead out of its folder are refused one by one.
 *
 * @throws DataError if the archive is damaged, truncated or compressed.
 */
export async function indexTar(path: string, signal?: AbortSignal): Promise<TarIndex> {
  const file = await openFile(path);
  try {
    return await withFileErrors('read', path, () => readHeaders(file, path, signal));
  } finally {
    await file.close();
  }
}

/**
 * Reads bytes from an archive.
 * @throws DataError if it ends before.
 */
export async function readExactly(file: FileHandle, path: string, offset: number, size: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(size);
  let done = 0;
  while (done < size) {
    const { bytesRead } = await file.read(bytes, done, size - done, offset + done);
    if (bytesRead === 0) throw truncatedError(path, `needs ${offset + size} bytes`);
    done += bytesRead;
  }
  return bytes;
}

function truncatedError(path: string, detail: string): Error {
  return new DataError(`${path} is truncated: it ${detail}. Download or copy it again.`);
}

async function readHeaders(file: FileHandle, path: string, signal: AbortSignal | undefined): Promise<TarIndex> {
  const { size: archiveSize } = await file.stat();
  const start = await readExactly(file, path, 0, Math.min(1023, archiveSize));
  const other = otherFiles.find(({ bytes }) => bytes.every((byte, index) => start[index] === byte));
  if (other)
    throw new DataError(
      `${path} must be a tar archive, uncompressed or compressed with gzip; it is ${other.problem}. ${other.action}`,
    );
  if (isLfsPointer(start)) throw new DataError(`${path} cannot be read. ${lfsAction}`);
  const members: TarMember[] = [];
  const refused: RefusedMember[] = [];
  /** Fields of extended headers for the next member. */
  let next: ExtendedHeader = {};
  let position = 0;
  let part = 0;
  /** Whether the last block was a zero block, which ends an archive. */
  let ended = false;
  for (; ; signal?.throwIfAborted()) {
    if (position + blockSize > archiveSize) {
      if (ended) return { members, refused };
      throw truncatedError(path, `lacks the end mark after ${members.length} files`);
    }
    const header = await readExactly(file, path, position, blockSize);
    if (header.every((byte) => byte === 0)) {
      ended = true;
      position += blockSize;
      continue;
    }
    if (ended && members.length + refused.length > 0) part++;
    ended = false;
    checkHeader(header, path, position);
    const type = String.fromCharCode(header[156]!);
    const size = !'xLK'.includes(type) && next.size !== undefined ? next.size : readNumber(header, 124, 12);
    if (!Number.isSafeInteger(size) || size < 0) {
      throw new DataError(
        `${path} is damaged: the header at byte ${position} gives a size of ${size} bytes. Download or copy it again.`,
      );
    }
    const offset = position + blockSize;
    if (offset + size > archiveSize) throw truncatedError(path, `ends inside ${readPath(header)}`);
    position = offset + Math.ceil(size / blockSize) * blockSize;

    if (type === 'K') continue;
    if (type === 'x' || type === 'L') {
      if (size > extendedHeaderLimit)
        throw new DataError(
          `An extended header of ${path} must be at most ${extendedHeaderLimit} bytes, not ${size}. Repack it with tar.`,
        );
      const bytes = await readExactly(file, path, offset, size);
      next =
        type === 'x'
          ? { ...next, ...readPaxRecords(bytes, path, position) }
          : { ...next, name: readName(bytes, 0, size) };
      continue;
    }
    const name = next.name ?? readPath(header);
    const { sparse = type === 'S' } = next;
    next = {};
    // Datasets need neither directories nor global headers nor labels.
    if ('5gV'.includes(type)) continue;
    const simple = name.replace(/^(\.\/)+/, '').normalize('NFC');
    if (isHarmless(name) && simple.split('/').some(isIgnored)) continue;
    const refusal = refusalOf(name, type, sparse);
    if (refusal === undefined) members.push({ name: simple, offset, size, part });
    else {
      const { reason, what, action } = refusal;
      refused.push({
        name: simple,
        part,
        reason,
        message: `${path} has ${quote(name)}, ${what}. Repack it ${action}.`,
      });
    }
  }
}

/** Returns why a member is never read, or undefined for plain files. */
function refusalOf(
  name: string,
  type: string,
  isSparse: boolean,
): { readonly reason: RefusedMember['reason']; readonly what: string; readonly action: string } | undefined {
  if (isSparse) return { reason: 'not-a-file', what: 'a sparse file', action: 'with tar, without --sparse' };
  if (!'0\x007'.includes(type)) {
    return {
      reason: 'not-a-file',
      what: 'a link or device',
      action: 'with plain files only, such as by tar --dereference --hard-dereference',
    };
  }
  if (isHarmless(name)) return undefined;
  return { reason: 'outside', what: 'a name that leads out of its folder', action: 'without this file' };
}

function isHarmless(name: string): boolean {
  const parts = name.split(/[/\\]/);
  return name !== '' && !parts.includes('..') && parts[0] !== '' && !/^[a-z]:/i.test(name) && !/[\0\n]/.test(name);
}

/** Throws unless the sum of the header's bytes, with spaces in the checksum field, equals its checksum. */
function checkHeader(header: Uint8Array, path: string, position: number): void {
  let sum = 0;
  header.forEach((byte, index) => {
    sum += index >= 148 && index < 156 ? 32 : byte;
  });
  if (sum === readNumber(header, 148, 8)) return;
  throw new DataError(
    `${path} is not a tar archive, or damaged: the header at byte ${position} does not match its checksum. ` +
      'Download or copy it again.',
  );
}

function readPath(header: Uint8Array): string {
  const name = readName(header, 0, 100);
  const isPosix = readText(header, 257, 6) === 'ustar' && header[262] === 0;
  const prefix = isPosix ? readName(header, 345, 155) : '';
  return prefix === '' ? name : `${prefix}/${name}`;
}

/** Reads a name in UTF-8. Other names are read as Latin-1, so that two of them never become the same. */
function readName(bytes: Uint8Array, start: number, length: number): string {
  const text = readText(bytes, start, length);
  return text.includes('\ufffd') ? readText(bytes, start, length, 'latin1') : text;
}

/** Reads text up to the first zero byte. */
function readText(bytes: Uint8Array, start: number, length: number, encoding = 'utf-8'): string {
  const field = bytes.subarray(start, start + length);
  const end = field.indexOf(0);
  return new TextDecoder(encoding).decode(end === -1 ? field : field.subarray(0, end));
}

/** Reads an octal number, or GNU's base-256 form of numbers that do not fit. */
function readNumber(header: Uint8Array, start: number, length: number): number {
  const field = header.subarray(start, start + length);
  if ((field[0]! & 0x80) !== 0) {
    return field.subarray(1).reduce((value, byte) => value * 256 + byte, field[0]! & 0x7f);
  }
  const text = readText(field, 0, length).trim();
  return text === '' ? 0 : /^[0-7]+$/.test(text) ? Number.parseInt(text, 8) : Number.NaN;
}

/** Reads pax records: `<length> <key>=<value>\n`, where the length is in bytes and includes itself. */
function readPaxRecords(bytes: Uint8Array, path: string, position: number): ExtendedHeader {
  const records: ExtendedHeader = {};
  let start = 0;
  while (start < bytes.length && bytes[start] !== 0) {
    const space = bytes.indexOf(32, start);
    const length = space === -1 ? Number.NaN : Number(readText(bytes, start, space - start));
    if (!Number.isInteger(length) || length <= space - start || start + length > bytes.length) {
      throw new DataError(
        `${path} is damaged: the extended header before byte ${position} is not a list of records. ` +
          'Download or copy it again.',
      );
    }
    const [key, value] = splitOnce(readName(bytes, space + 1, start + length - space - 2), '=');
    if (key === 'path') records.name = value;
    if (key.startsWith('GNU.sparse.')) records.sparse = true;
    if (key === 'size') records.size = /^\d+$/.test(value) ? Number(value) : Number.NaN;
    start += length;
  }
  return records;
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at === -1 ? [text, ''] : [text.slice(0, at), text.slice(at + separator.length)];
}
