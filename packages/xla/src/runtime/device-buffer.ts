import { sizeOf, type TensorData } from '@dalle-mini/graph';
import {
  blockOf,
  deviceCount,
  isWhole,
  type Mesh,
  readBlock,
  type Sharding,
  type TensorBlock,
  writeBlock,
} from '@dalle-mini/graph/stablehlo';
import type { ArrayType, PjrtBuffer, PjrtClient, StoredData } from '../pjrt/client.js';

/** How a tensor lies on the devices of a mesh. */
export interface Placement {
  readonly mesh: Mesh;
  /** Undefined if it is whole on every device. */
  readonly sharding: Sharding | undefined;
}

const arrays = { float32: Float32Array, int32: Int32Array, bool: Uint8Array } as const;

/** A tensor in the memory of devices: each has a part of it, or a copy. */
export class DeviceBuffer {
  constructor(
    private readonly type: ArrayType,
    private readonly placement: Placement,
    /** What each device has. */
    readonly parts: readonly PjrtBuffer[],
  ) {}

  /** Copies a tensor to devices now: the caller may change it afterwards. */
  static upload(client: PjrtClient, value: StoredData, placement: Placement): DeviceBuffer {
    const { mesh, sharding } = placement;
    const parts: PjrtBuffer[] = [];
    try {
      for (let device = 0; device < deviceCount(mesh); device++)
        parts.push(client.upload(readBlock(value, blockOf(value.shape, sharding, mesh, device)), device));
    } catch (error) {
      for (const part of parts) part.dispose();
      throw error;
    }
    return new DeviceBuffer(value, placement, parts);
  }

  /** Copies the tensor to the memory of JavaScript: each part once, from the first device that has it. */
  async download(): Promise<TensorData> {
    const { dtype, shape } = this.type;
    const { blocks } = this;
    if (isWhole(shape, blocks.get(0)!)) return this.parts[0]!.download();
    const whole = { dtype, shape, data: new arrays[dtype as TensorData['dtype']](sizeOf(shape)) } as TensorData;
    for (const [device, block] of blocks) writeBlock(whole, block, (await this.parts[device]!.download()).data);
    return whole;
  }

  /** The parts of the tensor, each by the first device that has it. */
  get blocks(): ReadonlyMap<number, TensorBlock> {
    const { mesh, sharding } = this.placement;
    const all = this.parts.map((_, device) => blockOf(this.type.shape, sharding, mesh, device));
    const places = all.map(({ starts }) => starts.join());
    return new Map([...all.entries()].filter(([device]) => places.indexOf(places[device]!) === device));
  }

  dispose(): void {
    for (const part of this.parts) part.dispose();
  }
}
