import { joinHosts, oneHost } from '@dalle-mini/hosts';
import { afterEach, describe, expect, test, vi } from 'vitest';

afterEach(() => vi.unstubAllEnvs());

describe('a process that no launcher started', () => {
  test('is the only host', async () => {
    expect(await joinHosts()).toBe(oneHost);
  });

  test('has the sums of its own values, and is the one that decides', async () => {
    const values = Float32Array.of(1, 2);
    await oneHost.sum(values);
    await oneHost.broadcast(values);
    expect([...values]).toEqual([1, 2]);
    expect(await oneHost.gather({ ends: true })).toEqual([{ ends: true }]);
    await oneHost.close();
  });
});

test('a launcher without a library of MPI is an error that says what to install', async () => {
  vi.stubEnv('OMPI_COMM_WORLD_RANK', '0');
  vi.stubEnv('OMPI_COMM_WORLD_SIZE', '2');
  vi.stubEnv('DALLE_MINI_MPI', '/missing/libmpi.so');
  await expect(joinHosts()).rejects.toThrow(
    /^mpirun of Open MPI started this process, but the library of MPI does not load: .*missing.* Install it on every host/,
  );
});

test('options are checked', async () => {
  await expect(joinHosts({ silenceSeconds: 0 })).rejects.toThrow('silenceSeconds must be a number above 0, not 0.');
});
