import { dequantizeColumns, dequantizeMatrix, type QuantizedRows } from '../quantization.js';
import { sizeOf } from '../shape.js';
import type { FileRegion, ParameterValue, TensorData } from '../tensor.js';

/** A parameter's values in memory, as float32, wherever they are: for a runtime that maps no files. In files, in Node.js only. */
export async function readParameter(value: ParameterValue): Promise<TensorData> {
  if ('data' in value) return value;
  const { dtype, shape } = value;
  if ('blocks' in value) {
    const { bits, blockSize, blocks, scales } = value;
    const [rows, columns] = shape as [number, number];
    const blockCount = rows * Math.ceil(columns / blockSize);
    const matrix = {
      ...value,
      blocks: await bytesOf(blocks, (blockCount * blockSize * bits) / 8),
      scales: await floatsOf(scales, blockCount),
    };
    return { dtype, shape, data: dequantizeMatrix(matrix) };
  }
  if ('columns' in value) {
    const { columns, scales } = value;
    const matrix = {
      ...value,
      columns: await bytesOf(columns, sizeOf(shape)),
      scales: await floatsOf(scales, shape[0]!),
    };
    return { dtype, shape, data: dequantizeColumns(matrix) };
  }
  if ('rows' in value) return { dtype, shape, data: await readRows(value) };
  if (value.storedAs === 'float16') {
    const { buffer } = await readRegion(value, 2 * sizeOf(shape));
    return { dtype, shape, data: widen(new Uint16Array(buffer)) };
  }
  return { dtype, shape, data: await readFloats(value, sizeOf(shape)) };
}

async function readRows({ shape, rows, scale, outliers }: QuantizedRows<FileRegion>): Promise<Float32Array> {
  const [count = 1] = shape;
  const values = Float32Array.from(new Int8Array((await readRegion(rows, sizeOf(shape))).buffer));
  const scales = await readFloats(scale, count);
  const width = values.length / count;
  for (let i = 0; i < values.length; i++) values[i]! *= scales[Math.floor(i / width)]!;
  if (outliers) {
    const own = await readFloats(outliers.values, outliers.count);
    const positions = new Int32Array((await readRegion(outliers.positions, 4 * outliers.count)).buffer);
    for (const [i, position] of positions.entries()) {
      if (!(position in values))
        throw new Error(`${rows.file} has an outlier at position ${position} of ${values.length}`);
      values[position] = own[i]!;
    }
  }
  return values;
}

async function bytesOf(bytes: Uint8Array | FileRegion, length: number): Promise<Uint8Array> {
  return 'folder' in bytes ? readRegion(bytes, length) : bytes;
}

async function floatsOf(floats: Float32Array | FileRegion, count: number): Promise<Float32Array> {
  return 'folder' in floats ? readFloats(floats, count) : floats;
}

async function readFloats(region: FileRegion, count: number): Promise<Float32Array> {
  return new Float32Array((await readRegion(region, 4 * count)).buffer);
}

/** @throws Error if the file is shorter. */
async function readRegion({ folder, file, offset }: FileRegion, length: number): Promise<Uint8Array<ArrayBuffer>> {
  const [{ open }, { join }] = await Promise.all([import('node:fs/promises'), import('node:path')]);
  const bytes = new Uint8Array(length);
  const handle = await open(join(folder, file));
  try {
    for (let filled = 0; filled < length; ) {
      const { bytesRead } = await handle.read(bytes, filled, length - filled, offset + filled);
      if (bytesRead === 0) throw new Error(`${join(folder, file)} ends before byte ${offset + length}`);
      filled += bytesRead;
    }
  } finally {
    await handle.close();
  }
  return bytes;
}

/** The values of float16 numbers, from their bits. */
function widen(halves: Uint16Array): Float32Array {
  const values = new Float32Array(halves.length);
  const bits = new Uint32Array(values.buffer);
  for (let i = 0; i < halves.length; i++) {
    const half = halves[i]!;
    const isSpecial = (half & 0x7c00) === 0x7c00;
    // The fields at their places in a float32, whose exponent has a bias of 127 and not of 15; of NaN and infinity it is all ones.
    bits[i] = ((half & 0x8000) << 16) | ((half & 0x7fff) << 13) | (isSpecial ? 0x7f800000 : 0);
    if (!isSpecial) values[i] = values[i]! * 2 ** 112;
  }
  return values;
}
