import { HostError } from '../error.js';
import { type Koffi, keepLoaded, loadKoffi } from '../koffi.js';
import type { Launch } from '../launch.js';
import { abiOf } from './abi.js';

type Library = ReturnType<Koffi['load']>;
type NativeFunction = ReturnType<Library['func']>;

/** The functions of an MPI library that training needs. Those that wait for other processes do so on another thread. */
export interface Mpi {
  readonly rank: number;
  readonly size: number;
  /** Such as `Open MPI v4.1.4`. */
  readonly version: string;
  /** Adds up the arrays of all processes, in place. */
  sum(values: Float32Array): Promise<void>;
  /** Overwrites an array with that of rank 0. */
  broadcast(values: Float32Array | Uint8Array): Promise<void>;
  /** Leaves the other processes, after all have called it. */
  finalize(): void;
  /** Ends the process at once. `process.exit` would wait for calls that wait for a lost process. */
  exit(code: number): void;
}

/** `MPI_THREAD_SERIALIZED`: one thread at a time calls MPI, but not always the same one. */
const threadSerialized = 2;
/** MPI counts elements in 32 bits. */
const mostElements = 2 ** 28;

/**
 * Loads the library of a launch and joins its processes.
 *
 * @throws HostError if no library is found, or if it does not belong to the launcher.
 */
export async function openMpi(launch: Launch): Promise<Mpi> {
  const koffi = await loadKoffi().catch((cause: Error) => {
    throw new HostError(`MPI needs koffi, which does not load: ${cause.message}. Run "npm install koffi".`, { cause });
  });
  const library = loadLibrary(koffi, launch);
  const mpi = join(koffi, library);
  if (mpi.size === launch.size) return mpi;
  mpi.finalize();
  throw new HostError(
    `${launch.launcher} started ${launch.size} processes, but ${mpi.version} sees ${mpi.size}. Use the launcher of this ` +
      'library; with Slurm, srun --mpi=pmix for Open MPI and --mpi=pmi2 for MPICH. DALLE_MINI_MPI names another library.',
  );
}

function loadLibrary(koffi: Koffi, { launcher, libraries }: Launch): Library {
  const errors: string[] = [];
  for (const name of libraries) {
    try {
      // Its plugins use its symbols.
      const library = koffi.load(name, { global: true });
      keepLoaded(koffi, name);
      return library;
    } catch (error) {
      errors.push(`${name} (${(error as Error).message})`);
    }
  }
  throw new HostError(
    `${launcher} started this process, but the library of MPI does not load: ${errors.join(', ')}. Install it on every ` +
      'host ("apt-get install libopenmpi3" or "libmpich12"), or set DALLE_MINI_MPI to its path.',
  );
}

function join(koffi: Koffi, library: Library): Mpi {
  const { handle, world, float, byte, sum, returnErrors, inPlace } = abiOf(library);
  const declare = (name: string, ...types: string[]) => library.func(name, 'int', types);
  const provided = [0];
  check(declare('MPI_Init_thread', 'void *', 'void *', 'int', '_Out_ int *')(null, null, threadSerialized, provided));
  if (provided[0]! < threadSerialized)
    throw new HostError('The library of MPI must support MPI_THREAD_SERIALIZED. Use one that does.');
  // Otherwise MPI ends the process when another one is lost, before we can say why.
  check(declare('MPI_Comm_set_errhandler', handle, handle)(world, returnErrors));
  const numberOf = (name: string): number => {
    const result = [0];
    check(declare(name, handle, '_Out_ int *')(world, result));
    return result[0]!;
  };
  const allReduce = declare('MPI_Allreduce', 'void *', 'void *', 'int', handle, handle, handle);
  const broadcast = declare('MPI_Bcast', 'void *', 'int', handle, 'int', handle);
  const finalize = declare('MPI_Finalize');
  const exit = koffi.load(null).func('_exit', 'void', ['int']);
  return {
    rank: numberOf('MPI_Comm_rank'),
    size: numberOf('MPI_Comm_size'),
    version: versionOf(library),
    async sum(values) {
      for (let start = 0; start < values.length; start += mostElements) {
        const part = values.subarray(start, start + mostElements);
        await onThread(allReduce, inPlace, part, part.length, float, sum, world);
      }
    },
    async broadcast({ buffer, byteOffset, byteLength }) {
      for (let start = 0; start < byteLength; start += mostElements) {
        const part = new Uint8Array(buffer, byteOffset + start, Math.min(mostElements, byteLength - start));
        await onThread(broadcast, part, part.length, byte, 0, world);
      }
    },
    finalize: () => check(finalize()),
    exit,
  };
}

async function onThread(called: NativeFunction, ...values: unknown[]): Promise<void> {
  const code = await new Promise<number>((resolve, reject) => {
    called.async(...values, (error: Error | null, result: number) => (error ? reject(error) : resolve(result)));
  });
  check(code);
}

function check(code: number): void {
  if (code !== 0) throw new HostError(`MPI failed with error ${code}. Another host may be lost: see its output.`);
}

/** Returns the first words of the library's description. */
function versionOf(library: Library): string {
  const text = Buffer.alloc(2 ** 16);
  const length = [0];
  check(library.func('MPI_Get_library_version', 'int', ['void *', '_Out_ int *'])(text, length));
  const [first] = text.toString('latin1', 0, length[0]).split(/[,\n\0]/);
  return first!.replace(/\s+/g, ' ').trim();
}
