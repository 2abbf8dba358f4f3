import { HostError } from './error.js';

/** How a launcher started this process. */
export interface Launch {
  /** Such as `mpirun of Open MPI`. */
  readonly launcher: string;
  /** The number of this process, from 0. */
  readonly rank: number;
  /** The number of processes. */
  readonly size: number;
  /** Names of MPI's library, the likeliest first. */
  readonly libraries: readonly string[];
}

const openMpi = 'libmpi.so.40';
// MPICH as Debian names it, and as it and the libraries of Intel, Cray and MVAPICH with its ABI do.
const mpich = ['libmpich.so.12', 'libmpi.so.12'];

/** The variables of each launcher. Slurm sets those of PMI too, for MPI libraries that ask for them. */
const launchers = [
  { launcher: 'srun of Slurm', rank: 'SLURM_PROCID', size: 'SLURM_STEP_NUM_TASKS' },
  { launcher: 'mpirun of Open MPI', rank: 'OMPI_COMM_WORLD_RANK', size: 'OMPI_COMM_WORLD_SIZE' },
  { launcher: 'mpirun of MPICH', rank: 'PMI_RANK', size: 'PMI_SIZE' },
];

/**
 * Finds out from the environment whether `mpirun` or `srun` started this process together with others.
 *
 * @returns `undefined` if it runs alone.
 * @throws HostError if `srun` was not told to set MPI up.
 */
export function findLaunch(environment: Readonly<Record<string, string | undefined>>): Launch | undefined {
  // mpirun in a job of Slurm starts its processes with the variables of both.
  const found = launchers.findLast(
    ({ rank, size }) => environment[rank] !== undefined && Number(environment[size]) > 1,
  );
  if (!found) return undefined;
  const { OMPI_COMM_WORLD_RANK, PMI_RANK, PMIX_RANK, DALLE_MINI_MPI: named } = environment;
  if (OMPI_COMM_WORLD_RANK === undefined && PMI_RANK === undefined && PMIX_RANK === undefined)
    throw new HostError('srun must set up MPI. Add --mpi=pmix for Open MPI, or --mpi=pmi2 for MPICH.');
  const usesMpich = PMI_RANK !== undefined && OMPI_COMM_WORLD_RANK === undefined;
  const libraries = usesMpich ? [...mpich, openMpi] : [openMpi, ...mpich];
  return {
    launcher: found.launcher,
    rank: Number(environment[found.rank]),
    size: Number(environment[found.size]),
    libraries: named === undefined ? libraries : [named],
  };
}
