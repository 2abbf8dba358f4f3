import { promisify } from 'node:util';
import { deflate } from 'node:zlib';
import type { RgbImage } from '@dalle-mini/core';

const signature = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

/** Encodes a PNG file of 8 bits per channel (https://www.w3.org/TR/png-3), and compresses off the calling thread. */
export async function encodePng({ width, height, data }: RgbImage): Promise<Uint8Array> {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  // Bits per channel, RGB, the only methods of compression and filtering in the standard, and no interlacing.
  header.set([8, 2, 0, 0, 0], 8);

  // Each row begins with a 0: no filter. Filtered rows compress better, but filtering takes as long as compressing, and
  // on the calling thread.
  const rowBytes = 3 * width;
  const rows = new Uint8Array(height * (1 + rowBytes));
  for (let y = 0; y < height; y++) rows.set(data.subarray(y * rowBytes, (y + 1) * rowBytes), y * (1 + rowBytes) + 1);
  const pixels = await promisify(deflate)(rows);
  return Buffer.concat([Buffer.from(signature), chunk('IHDR', header), chunk('IDAT', pixels), chunk('IEND')]);
}

/** Encodes a chunk of a PNG file: its length, its type, its data and their checksum. */
function chunk(type: string, data: Buffer = Buffer.alloc(0)): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  const typed = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const checksum = Buffer.alloc(4);
  checksum.writeUInt32BE(crc32(typed));
  return Buffer.concat([length, typed, checksum]);
}

/** The checksum after each byte: PNG, annex D. */
const checksums = Uint32Array.from({ length: 256 }, (_, byte) => {
  let checksum = byte;
  for (let bit = 0; bit < 8; bit++) checksum = checksum & 1 ? 0xedb88320 ^ (checksum >>> 1) : checksum >>> 1;
  return checksum;
});

/** Computes a CRC-32. `node:zlib` has `crc32` only from Node.js 20.15, after the oldest supported version. */
function crc32(data: Uint8Array): number {
  let checksum = 0xffffffff;
  for (const byte of data) checksum = checksums[(checksum ^ byte) & 0xff]! ^ (checksum >>> 8);
  return ~checksum >>> 0;
}
