/** BMP images, which sharp does not decode. Format: https://learn.microsoft.com/windows/win32/gdi/bitmap-storage */

/** Pixels as sharp takes them: rows from the top, 3 (RGB) or 4 (RGBA) bytes a pixel. */
export interface RawImage {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
  readonly channels: 3 | 4;
}

/** Most pixels of an image. A few bytes of a compressed file may stand for any number. */
const maxPixels = 100_000_000;

type Compression = 'none' | 'RLE8' | 'RLE4' | 'masks' | 'masks with alpha';

/** By their code in the file. JPEG and PNG, codes 4 and 5, are only for printers. */
const compressions: Readonly<Record<number, Compression>> = {
  0: 'none',
  1: 'RLE8',
  2: 'RLE4',
  3: 'masks',
  6: 'masks with alpha',
};

/** Bits per pixel that each compression may have. */
const bitsOf: Readonly<Record<Compression, readonly number[]>> = {
  none: [1, 2, 4, 8, 16, 24, 32],
  RLE8: [8],
  RLE4: [4],
  masks: [16, 24, 32],
  'masks with alpha': [16, 24, 32],
};

/** Checks whether a file is a BMP image by its first bytes. */
export function isBmp(bytes: Uint8Array): boolean {
  return bytes.length > 18 && bytes[0] === 0x42 && bytes[1] === 0x4d;
}

/**
 * Decodes a BMP image of Windows or OS/2: 1 to 8 bits with a palette, also compressed by runs (RLE), and 16, 24 or 32 bits
 * with or without masks. Alpha that is zero everywhere is opaque, because many programs leave it unset.
 *
 * @throws Error if the file is truncated or damaged, or has an unsupported compression.
 */
export function decodeBmp(bytes: Uint8Array): RawImage {
  const file = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const header = readHeader(file);
  const { width, height, bits, compression } = header;
  const values = compression.startsWith('RLE') ? expandRuns(bytes, header) : unpackRows(file, header);
  if (bits <= 8) return { data: paint(values, readPalette(bytes, header)), width, height, channels: 3 };
  const masks = readMasks(file, header).map(channelOf);
  const hasAlpha = values.some((value) => masks[3]!(value) > 0);
  const channels = hasAlpha ? 4 : 3;
  const data = new Uint8Array(values.length * channels);
  for (let i = 0; i < data.length; i++) data[i] = masks[i % channels]!(values[Math.floor(i / channels)]!);
  return { data, width, height, channels };
}

interface Header {
  /** Bytes of the header itself: 12 and 16 to 64 of OS/2; 40, 52, 56, 108 or 124 of Windows. */
  readonly size: number;
  readonly width: number;
  readonly height: number;
  /** Whether the first row of the file is the top one; usually it is the bottom one. */
  readonly isTopDown: boolean;
  /** Per pixel: 1, 2, 4, 8, 16, 24 or 32. */
  readonly bits: number;
  readonly compression: Compression;
  /** The number of colors of the palette; 0 if the file does not say. */
  readonly colors: number;
  /** Where the pixels begin. */
  readonly start: number;
}

function readHeader(file: DataView): Header {
  const size = file.getUint32(14, true);
  if (size < 12 || size > 124 || file.byteLength < Math.max(14 + size, 30))
    throw new Error(`its header of ${size} bytes is damaged`);
  const isShort = size === 12;
  const width = isShort ? file.getUint16(18, true) : file.getInt32(18, true);
  const rows = isShort ? file.getInt16(20, true) : file.getInt32(22, true);
  const height = Math.abs(rows);
  if (width < 1 || height < 1 || width * height > maxPixels)
    throw new Error(`its size must be 1 to ${maxPixels} pixels, not ${width}×${height}`);
  const bits = file.getUint16(isShort ? 24 : 28, true);
  const code = size >= 20 ? file.getUint32(30, true) : 0;
  const compression = compressions[code];
  // Of OS/2, the codes from 3 on are other compressions.
  if (compression === undefined || (size === 64 && code > 2))
    throw new Error(`its compression ${code} is not supported`);
  if (!bitsOf[compression].includes(bits))
    throw new Error(`its ${bits} bits per pixel with compression ${compression} are not supported`);
  const colors = size >= 36 ? file.getUint32(46, true) : 0;
  return { size, width, height, isTopDown: rows < 0, bits, compression, colors, start: file.getUint32(10, true) };
}

/** Returns the palette as red, green and blue. */
function readPalette(bytes: Uint8Array, { size, bits, colors, start }: Header): Uint8Array {
  const stride = size === 12 ? 3 : 4;
  // Some files have a shorter palette than they say.
  const room = Math.max(0, Math.floor((Math.min(start, bytes.length) - 14 - size) / stride));
  const palette = new Uint8Array(3 * Math.min(colors || 2 ** bits, 2 ** bits, room));
  for (let i = 0; i < palette.length; i++) {
    // The file has blue first.
    const channel = 2 - (i % 3);
    palette[i] = bytes[14 + size + stride * Math.floor(i / 3) + channel]!;
  }
  return palette;
}

/** Returns the masks of red, green, blue and alpha in the value of a pixel. */
function readMasks(file: DataView, { size, bits, compression }: Header): readonly number[] {
  if (compression === 'none') return bits === 16 ? [0x7c00, 0x3e0, 0x1f, 0] : [0xff0000, 0xff00, 0xff, 0];
  // They follow a header of 40 bytes, and are a part of longer ones.
  const count = size >= 56 || compression === 'masks with alpha' ? 4 : 3;
  return Array.from({ length: 4 }, (_, i) => (i < count ? file.getUint32(54 + 4 * i, true) : 0));
}

/** Returns the pixels' values, of the top row first. Each row of the file fills whole units of 4 bytes. */
function unpackRows(file: DataView, { width, height, isTopDown, bits, start }: Header): Uint32Array {
  const stride = 4 * Math.ceil((width * bits) / 32);
  const end = start + stride * (height - 1) + Math.ceil((width * bits) / 8);
  if (file.byteLength < end) throw new Error(`it is truncated: it has ${file.byteLength} bytes instead of ${end}`);
  const read = readerOf(file, bits);
  const values = new Uint32Array(width * height);
  for (let y = 0; y < height; y++) {
    const row = start + stride * (isTopDown ? y : height - 1 - y);
    for (let x = 0; x < width; x++) values[y * width + x] = read(row, x);
  }
  return values;
}

/** Returns a function that reads the value at a column of the row that begins at a byte. */
function readerOf(file: DataView, bits: number): (row: number, x: number) => number {
  if (bits === 32) return (row, x) => file.getUint32(row + 4 * x, true);
  if (bits === 24) return (row, x) => file.getUint16(row + 3 * x, true) | (file.getUint8(row + 3 * x + 2) << 16);
  if (bits === 16) return (row, x) => file.getUint16(row + 2 * x, true);
  const mask = 2 ** bits - 1;
  // The leftmost pixel is in the highest bits.
  return (row, x) => (file.getUint8(row + ((x * bits) >> 3)) >> (8 - bits - ((x * bits) & 7))) & mask;
}

/** Expands runs of equal values and literal values. Pixels that the file skips have the value 0. */
function expandRuns(bytes: Uint8Array, { width, height, isTopDown, bits, start }: Header): Uint32Array {
  const values = new Uint32Array(width * height);
  let [x, y] = [0, 0];
  const put = (value: number) => {
    if (x < width && y < height) values[(isTopDown ? y : height - 1 - y) * width + x] = value;
    x++;
  };
  /** The value of a pixel in bytes that have one of 8 bits, or two of 4 bits. */
  const valueAt = (position: number, i: number) => {
    if (bits === 8) return bytes[position + i]!;
    return (bytes[position + (i >> 1)]! >> (i % 2 === 0 ? 4 : 0)) & 15;
  };
  for (let position = start; position + 1 < bytes.length; ) {
    const [count, code] = [bytes[position]!, bytes[position + 1]!];
    position += 2;
    if (count > 0) {
      for (let i = 0; i < count; i++) put(bits === 8 ? code : (code >> (i % 2 === 0 ? 4 : 0)) & 15);
    } else if (code === 0) [x, y] = [0, y + 1];
    else if (code === 1) return values;
    else if (code === 2) {
      x += bytes[position] ?? 0;
      y += bytes[position + 1] ?? 0;
      position += 2;
    } else {
      const length = 2 * Math.ceil((code * bits) / 16);
      if (position + length > bytes.length) break;
      for (let i = 0; i < code; i++) put(valueAt(position, i));
      position += length;
    }
  }
  // Some programs do not write the end mark.
  if (y >= height - 1 && x >= width) return values;
  throw new Error('it is truncated: its last row is missing');
}

/** Returns the color of each pixel; black for those that the palette lacks. */
function paint(values: Uint32Array, palette: Uint8Array): Uint8Array {
  const data = new Uint8Array(3 * values.length);
  for (let i = 0; i < data.length; i++) data[i] = palette[3 * values[Math.floor(i / 3)]! + (i % 3)] ?? 0;
  return data;
}

/** Returns a function that reads the bits of a mask from the value of a pixel, as 0 to 255. */
function channelOf(mask: number): (value: number) => number {
  if (mask === 0) return () => 0;
  const shift = 31 - Math.clz32(mask & -mask);
  const max = mask >>> shift;
  return (value) => Math.round((((value & mask) >>> shift) * 255) / max);
}
