/** The module koffi. */
export type Koffi = typeof import('koffi')['default'];

/** XLA's compiler and MPICH need more than koffi's default of 128 KiB. koffi takes a size only once in a process. */
const stackSize = 16 * 2 ** 20;

let loaded: Promise<Koffi> | undefined;

/**
 * Loads koffi, which calls functions of libraries in C. It is an optional dependency.
 *
 * @throws Error if it is not installed, or does not load on this computer.
 */
export function loadKoffi(): Promise<Koffi> {
  loaded ??= import('koffi').then(({ default: koffi }) => {
    koffi.config({ sync_stack_size: stackSize, async_stack_size: stackSize });
    return koffi;
  });
  return loaded;
}

/** Flags of `dlopen`: bind functions when they are called, and never unload. */
const neverUnload: Partial<Record<NodeJS.Platform, number>> = { linux: 0x1 | 0x1000, darwin: 0x1 | 0x80 };

/**
 * Keeps a library that was loaded in memory until the process ends. koffi unloads it when its handle is garbage, and before the process ends.
 * Threads of XLA or MPI still run in it then, and the process would crash.
 *
 * @param path The path or the name that the library was loaded by.
 */
export function keepLoaded(koffi: Koffi, path: string): void {
  const flags = neverUnload[process.platform];
  if (flags !== undefined) koffi.load(null).func('dlopen', 'void *', ['const char *', 'int'])(path, flags);
}
