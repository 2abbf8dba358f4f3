/** Checkpoints in parts: each file has the blocks of tensors that one device had, and says in its metadata where they belong. */
import { type Shape, type StateBlock, sizeOf, type TensorData } from '@dalle-mini/graph';
import { writeBlock } from '@dalle-mini/graph/stablehlo';
import { type Checkpoint, CheckpointError, fromFloat32, type StoredTensor, toFloat32 } from '@dalle-mini/weights';
import { readCheckpointFile } from '@dalle-mini/weights/node';

/** The place of a block in its tensor. */
interface Place {
  /** The shape of the whole tensor. */
  readonly shape: Shape;
  readonly starts: Shape;
}

/** A file of a checkpoint. */
export interface CheckpointContent {
  readonly tensors: Checkpoint;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Returns whole tensors as blocks. */
export const wholeBlocks = (values: Readonly<Record<string, TensorData>>): Record<string, StateBlock> =>
  Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, { starts: value.shape.map(() => 0), value }]),
  );

/** Returns the content of the file of some blocks: their tensors, and the metadata `blocks`. Tensors that are whole have no place. */
export function contentOfBlocks(
  blocks: Readonly<Record<string, StateBlock>>,
  shapes: ReadonlyMap<string, Shape>,
): CheckpointContent {
  const tensors: Checkpoint = new Map();
  const places: Record<string, Place> = {};
  for (const [name, { starts, value }] of Object.entries(blocks)) {
    const shape = shapes.get(name)!;
    tensors.set(name, fromFloat32(value.data as Float32Array, value.shape, 'F32'));
    if (sizeOf(value.shape) < sizeOf(shape)) places[name] = { shape, starts };
  }
  return { tensors, metadata: Object.keys(places).length > 0 ? { blocks: JSON.stringify(places) } : {} };
}

/**
 * Reads the files of a checkpoint one after the other, and joins the blocks of their tensors.
 *
 * @throws CheckpointError if a file is damaged, or if a part of a tensor is missing; FileError if a file cannot be read.
 */
export async function readParts(paths: readonly string[]): Promise<CheckpointContent> {
  const joined = new Map<string, StoredTensor | Assembly>();
  let first: Readonly<Record<string, string>> | undefined;
  for (const path of paths) {
    const { tensors, metadata } = await readCheckpointFile(path);
    first ??= metadata;
    const places = placesIn(metadata, path);
    for (const [name, tensor] of tensors) {
      const place = places[name];
      if (!place) {
        joined.set(name, tensor);
        continue;
      }
      const known = joined.get(name);
      const whole = known instanceof Assembly ? known : new Assembly(name, place.shape);
      joined.set(name, whole);
      whole.add(tensor, place);
    }
  }
  const tensors = new Map([...joined].map(([name, one]) => [name, one instanceof Assembly ? one.tensor : one]));
  return { tensors, metadata: first ?? {} };
}

/** A tensor that is put together from blocks. */
class Assembly {
  private readonly data: Float32Array;
  private added = 0;

  constructor(
    private readonly name: string,
    private readonly shape: Shape,
  ) {
    this.data = new Float32Array(sizeOf(shape));
  }

  add(block: StoredTensor, { shape, starts }: Place): void {
    const fits =
      String(shape) === String(this.shape) &&
      block.shape.length === shape.length &&
      block.shape.every((size, axis) => starts[axis]! + size <= shape[axis]!);
    if (!fits)
      throw new CheckpointError(
        `The block [${block.shape}] of ${this.name} must be inside of [${this.shape}], not at [${starts}] of [${shape}].`,
      );
    writeBlock({ shape, data: this.data }, { starts, shape: block.shape }, toFloat32(block));
    this.added += sizeOf(block.shape);
  }

  /** @throws CheckpointError if elements are missing. */
  get tensor(): StoredTensor {
    const { name, shape, data } = this;
    if (this.added !== data.length)
      throw new CheckpointError(`The parts must have ${data.length} elements of ${name}, not ${this.added}.`);
    return fromFloat32(data, shape, 'F32');
  }
}

function placesIn({ blocks }: Readonly<Record<string, string>>, path: string): Readonly<Record<string, Place>> {
  if (blocks === undefined) return {};
  try {
    return JSON.parse(blocks) as Record<string, Place>;
  } catch {
    throw new CheckpointError(`${path}: the metadata blocks must be JSON, not ${blocks.slice(0, 20)}.`);
  }
}
