import { findLaunch } from '@dalle-mini/hosts';
import { describe, expect, test } from 'vitest';

const openMpi = { OMPI_COMM_WORLD_RANK: '1', OMPI_COMM_WORLD_SIZE: '4' };
const mpich = { PMI_RANK: '2', PMI_SIZE: '3' };
const slurm = { SLURM_PROCID: '5', SLURM_STEP_NUM_TASKS: '6' };

describe('the launcher of a process is found in its environment', () => {
  test('mpirun of Open MPI', () => {
    expect(findLaunch(openMpi)).toMatchObject({ launcher: 'mpirun of Open MPI', rank: 1, size: 4 });
    expect(findLaunch(openMpi)!.libraries[0]).toBe('libmpi.so.40');
  });

  test('mpirun of MPICH', () => {
    expect(findLaunch(mpich)).toMatchObject({ launcher: 'mpirun of MPICH', rank: 2, size: 3 });
    expect(findLaunch(mpich)!.libraries[0]).toBe('libmpich.so.12');
  });

  test('srun, with the library of its interface to MPI', () => {
    const pmix = findLaunch({ ...slurm, PMIX_RANK: '5' });
    expect(pmix).toMatchObject({ launcher: 'srun of Slurm', rank: 5, size: 6 });
    expect(pmix!.libraries[0]).toBe('libmpi.so.40');
    expect(findLaunch({ ...slurm, PMI_RANK: '5', PMI_SIZE: '6' })!.libraries[0]).toBe('libmpich.so.12');
  });

  test('srun must set up MPI', () => {
    expect(() => findLaunch(slurm)).toThrow(
      'srun must set up MPI. Add --mpi=pmix for Open MPI, or --mpi=pmi2 for MPICH.',
    );
  });

  test('mpirun in a job of Slurm', () => {
    expect(findLaunch({ ...slurm, ...openMpi })).toMatchObject({ launcher: 'mpirun of Open MPI', rank: 1, size: 4 });
  });

  test('none, for a process that runs alone', () => {
    expect(findLaunch({})).toBeUndefined();
    expect(findLaunch({ OMPI_COMM_WORLD_RANK: '0', OMPI_COMM_WORLD_SIZE: '1' })).toBeUndefined();
    // The script of a job of Slurm, before srun.
    expect(findLaunch({ SLURM_PROCID: '0', SLURM_NTASKS: '8' })).toBeUndefined();
  });

  test('DALLE_MINI_MPI names the library', () => {
    expect(findLaunch({ ...openMpi, DALLE_MINI_MPI: '/opt/libmpi.so' })!.libraries).toEqual(['/opt/libmpi.so']);
  });
});
