import type { Hosts } from '@dalle-mini/hosts';

/** Makes hosts that are tasks of this process: each must be used by a task of its own. */
export function localHosts(size: number): Hosts[] {
  let round:
    | { values: unknown[]; arrived: number; all: Promise<unknown[]>; resolve: (values: unknown[]) => void }
    | undefined;
  /** Waits until all hosts have given a value. */
  const meet = (rank: number, value: unknown): Promise<unknown[]> => {
    if (!round) {
      const { promise, resolve } = withResolvers<unknown[]>();
      round = { values: [], arrived: 0, all: promise, resolve };
    }
    const { values, all, resolve } = round;
    values[rank] = value;
    if (++round.arrived === size) {
      round = undefined;
      resolve(values);
    }
    return all;
  };
  return Array.from({ length: size }, (_, rank) => ({
    rank,
    size,
    async sum(values) {
      const all = (await meet(rank, values.slice())) as Float32Array[];
      for (const i of values.keys()) values[i] = all.reduce((sum, one) => sum + one[i]!, 0);
    },
    async broadcast(values) {
      const [first] = (await meet(rank, values.slice())) as Float32Array[];
      values.set(first!);
    },
    gather: async <Value>(value: Value) => (await meet(rank, value)) as Value[],
    nameOf: (other) => `rank ${other}`,
    close: async () => undefined,
    abort: () => Promise.reject(new Error('unused')),
  }));
}

function withResolvers<Value>() {
  let resolve!: (value: Value) => void;
  const promise = new Promise<Value>((given) => {
    resolve = given;
  });
  return { promise, resolve };
}
