/** Matrices in few bits among the tensors of a checkpoint, each stored as two of them. */
import {
  type Part,
  type QuantizedBlocks,
  type QuantizedColumns,
  quantizeBlocks,
  quantizeColumns,
  type Shape,
} from '@dalle-mini/graph';
import { fromFloat32, type StoredTensor, toFloat32 } from '@dalle-mini/weights';
import type { TensorLocation } from '@dalle-mini/weights/node';

/** How such a matrix is stored: in blocks of 8 or 4 bits, or in 8 bits column by column. */
export type MatrixFormat = 'blocks8' | 'blocks4' | 'columns';

/** Elements of a block. */
const blockSize = 32;

/**
 * What is behind the name of a matrix: its blocks, `[rows, blocks a row, bytes]`, and their scales, `[rows, blocks a row]`; or its columns,
 * `[columns, rows]`, and the scales of its rows, `[rows]`.
 */
const suffixes = { blocks8: '.blocks', blocks4: '.blocks', columns: '.columns', scales: '.scales' } as const;

/** The tensors that stand for a matrix in few bits, by name. */
export function storeMatrix(name: string, tensor: StoredTensor, format: MatrixFormat): [string, StoredTensor][] {
  const data = toFloat32(tensor);
  const { shape } = tensor;
  const matrix =
    format === 'columns'
      ? quantizeColumns(data, shape)
      : quantizeBlocks(data, shape, { bits: format === 'blocks8' ? 8 : 4, blockSize });
  const bytes = matrix.kind === 'blocks' ? matrix.blocks : matrix.columns;
  const shapes = shapesOf(format, shape);
  return [
    [name + suffixes[format], { dtype: 'U8', shape: shapes.bytes, bytes }],
    [name + suffixes.scales, fromFloat32(matrix.scales, shapes.scales)],
  ];
}

function shapesOf(format: MatrixFormat, [rows, columns]: Shape): Record<'bytes' | 'scales', Shape> {
  if (format === 'columns') return { bytes: [columns!, rows!], scales: [rows!] };
  const perRow = Math.ceil(columns! / blockSize);
  return { bytes: [rows!, perRow, format === 'blocks8' ? blockSize : blockSize / 2], scales: [rows!, perRow] };
}

/** A matrix in few bits, where it lies. */
export interface MatrixLocation {
  readonly format: MatrixFormat;
  readonly shape: Shape;
  /** Its blocks or columns. */
  readonly bytes: TensorLocation;
  readonly scales: TensorLocation;
}

/**
 * Finds a matrix `[rows, columns]` that is stored in few bits; nothing if there is none of the name.
 *
 * @param find gives a tensor by its name, or refuses one of another dtype or shape.
 */
export function locateMatrix(
  name: string,
  shape: Shape,
  tensors: ReadonlyMap<string, TensorLocation>,
  find: (name: string, dtype: string, shape: Shape) => TensorLocation,
): MatrixLocation | undefined {
  const blocks = tensors.get(name + suffixes.blocks8);
  if (!blocks && !tensors.has(name + suffixes.columns)) return undefined;
  const format = !blocks ? 'columns' : blocks.shape[2] === blockSize / 2 ? 'blocks4' : 'blocks8';
  const shapes = shapesOf(format, shape);
  const bytes = find(name + suffixes[format], 'U8', shapes.bytes);
  return { format, shape, bytes, scales: find(name + suffixes.scales, 'F32', shapes.scales) };
}

/** The two tensors of a matrix, of those that were read from where it lies. */
export function partsOfMatrix(
  name: string,
  { format }: MatrixLocation,
  tensors: ReadonlyMap<string, StoredTensor>,
): Record<'bytes' | 'scales', StoredTensor> {
  return { bytes: tensors.get(name + suffixes[format])!, scales: tensors.get(name + suffixes.scales)! };
}

/** A matrix as a parameter's value, of its blocks or columns and its scales, or the places that they are in. */
export function matrixValue(
  { format, shape }: MatrixLocation,
  bytes: Part<Uint8Array>,
  scales: Part<Float32Array>,
): QuantizedBlocks | QuantizedColumns {
  const dtype = 'float32';
  if (format === 'columns') return { kind: 'columns', dtype, shape, columns: bytes, scales };
  return { kind: 'blocks', dtype, shape, bits: format === 'blocks8' ? 8 : 4, blockSize, blocks: bytes, scales };
}
