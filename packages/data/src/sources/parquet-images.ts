/** Parquet files with images in them, as Hugging Face's datasets writes and the hub stores them. */
import { openFile, withFileErrors } from '@dalle-mini/core/node';
import {
  type AsyncBuffer,
  type FileMetaData,
  parquetMetadataAsync,
  parquetReadObjects,
  parquetSchema,
} from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { DataError } from '../data-error.js';
import { captionColumnsOf, captionsFromRecord, imageColumn, isRecord } from './captions.js';
import { readExactly } from './tar-index.js';

/**
 * Reads the images and captions of a Parquet file as the bytes of a tar archive: `00000012.jpg`, whatever its format, and
 * `00000012.json` of row 12.
 *
 * @throws DataError if the file is damaged, or has no column of images.
 */
export async function* tarOfParquet(path: string, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
  const file = await openFile(path);
  try {
    const { size } = await file.stat();
    const slice = async (start: number, end = size) =>
      withFileErrors(
        'read',
        path,
        async () => (await readExactly(file, path, start, end - start)).buffer as ArrayBuffer,
      );
    let number = 0;
    for await (const { image, captions } of rowsOf(path, { byteLength: size, slice }, signal)) {
      const stem = String(number++).padStart(8, '0');
      if (image) yield* memberOf(`${stem}.jpg`, image);
      if (captions) yield* memberOf(`${stem}.json`, new TextEncoder().encode(JSON.stringify({ captions })));
    }
    yield new Uint8Array(2 * blockSize);
  } finally {
    await file.close();
  }
}

const blockSize = 512;

/** Returns a member of a tar archive: its header, its content, and zeros up to a whole block. */
function memberOf(name: string, content: Uint8Array): Uint8Array[] {
  const header = Buffer.alloc(blockSize);
  header.write(name, 0, 'ascii');
  header.write('0000644\0', 100);
  header.write(content.length.toString(8).padStart(11, '0'), 124);
  // The checksum is computed with spaces in its place.
  header.write('        0', 148);
  header.write('ustar\x0000', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return [header, content, new Uint8Array((blockSize - (content.length % blockSize)) % blockSize)];
}

interface ImageRow {
  readonly image: Uint8Array | undefined;
  readonly captions: readonly string[] | undefined;
}

async function* rowsOf(path: string, file: AsyncBuffer, signal: AbortSignal | undefined): AsyncGenerator<ImageRow> {
  try {
    const metadata = await parquetMetadataAsync(file);
    const image = columnOfImages(path, metadata);
    const names = parquetSchema(metadata).children.map(({ element }) => element.name);
    const columns = [image, ...captionColumnsOf(names)];
    let rowStart = 0;
    for (const { num_rows: count } of metadata.row_groups) {
      signal?.throwIfAborted();
      const rowEnd = rowStart + Number(count);
      // Without utf8, bytes stay as they are.
      const rows = await parquetReadObjects({ file, metadata, compressors, columns, rowStart, rowEnd, utf8: false });
      for (const row of rows)
        yield { image: bytesOf(row[image]), captions: captionsFromRecord({ ...row, [image]: null }) };
      rowStart = rowEnd;
    }
  } catch (error) {
    if (DataError.isInstance(error) || signal?.aborted) throw error;
    const reason = (error as Error).message.slice(0, 200);
    throw new DataError(`${path} is not a Parquet file, or damaged: ${reason}. Replace it.`, { cause: error });
  }
}

/** Finds the column of images: bytes, or Hugging Face's structure of `bytes` and `path`. */
function columnOfImages(path: string, metadata: FileMetaData): string {
  const columns = parquetSchema(metadata).children.filter(({ element, children }) => {
    const bytes = children.length > 0 ? children.find((child) => child.element.name === 'bytes')?.element : element;
    return bytes?.type === 'BYTE_ARRAY' && bytes.converted_type !== 'UTF8';
  });
  const names = columns.map(({ element }) => element.name);
  const found = imageColumn(names) ?? (names.length === 1 ? names[0] : undefined);
  if (found !== undefined) return found;
  throw new DataError(
    `${path} must have one column with the bytes of images, not ${names.length}. If it is a list, open its folder as a folder of images.`,
  );
}

function bytesOf(value: unknown): Uint8Array | undefined {
  if (value instanceof Uint8Array) return value.length > 0 ? value : undefined;
  return isRecord(value) ? bytesOf(value.bytes) : undefined;
}
