import { join } from 'node:path';
import type { Runtime } from '@dalle-mini/graph';
import type { Hosts } from '@dalle-mini/hosts';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { localHosts } from '@dalle-mini/testing/local-hosts';
import { type Changes, decoderTrainer, vqganTrainer } from './tiny-trainers.js';

export type Trained = Awaited<ReturnType<ReturnType<typeof decoderTrainer>>>;

/** Returns the tiny trainers of one host, and `trainOn`, which trains on several hosts that are tasks of this process. */
export function hostTrainers(runtime: Runtime) {
  const trainers = { decoder: decoderTrainer(runtime), vqgan: vqganTrainer(runtime) };
  return {
    trainers,
    /** Rank 0 has the folder; the others get the path of one that nobody makes. */
    async trainOn(
      size: number,
      kind: keyof typeof trainers,
      changes: object,
      each: (rank: number) => object = () => ({}),
    ): Promise<PromiseSettledResult<Trained>[]> {
      const train = trainers[kind] as (changes: object) => Promise<Trained>;
      const folder = (changes as Changes<never>).folder ?? (await temporaryFolder());
      const missing = join(await temporaryFolder(), 'missing');
      return Promise.allSettled(
        localHosts(size).map((hosts: Hosts) =>
          train({ ...changes, hosts, folder: hosts.rank === 0 ? folder : missing, ...each(hosts.rank) }),
        ),
      );
    },
  };
}
