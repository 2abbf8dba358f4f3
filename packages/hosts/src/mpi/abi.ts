import type { Koffi } from '../koffi.js';

type Library = ReturnType<Koffi['load']>;

/** How a library names communicators, types and operations, which programs in C get from its header. */
export interface MpiAbi {
  /** The type of these names in C. */
  readonly handle: 'void *' | 'int';
  /** All processes. */
  readonly world: unknown;
  readonly float: unknown;
  readonly byte: unknown;
  readonly sum: unknown;
  /** The error handler that returns errors. */
  readonly returnErrors: unknown;
  /** The address that stands for the other buffer of the same call. */
  readonly inPlace: bigint;
}

/** The ABI of MPICH (mpi.h of version 4), which the libraries of Intel, Cray and MVAPICH share. */
const mpich: MpiAbi = {
  handle: 'int',
  world: 0x44000000,
  float: 0x4c00040a,
  byte: 0x4c00010d,
  sum: 0x58000003,
  returnErrors: 0x54000001,
  inPlace: 0xffff_ffff_ffff_ffffn,
};

/** Returns the ABI of a loaded library: that of Open MPI, whose names are addresses of its variables, or of MPICH. */
export function abiOf(library: Library): MpiAbi {
  if (!has(library, 'ompi_mpi_comm_world')) return mpich;
  return {
    handle: 'void *',
    world: library.symbol('ompi_mpi_comm_world'),
    float: library.symbol('ompi_mpi_float'),
    byte: library.symbol('ompi_mpi_byte'),
    sum: library.symbol('ompi_mpi_op_sum'),
    returnErrors: library.symbol('ompi_mpi_errors_return'),
    inPlace: 1n,
  };
}

function has(library: Library, symbol: string): boolean {
  try {
    library.symbol(symbol);
    return true;
  } catch {
    return false;
  }
}
