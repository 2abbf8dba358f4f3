import { XlaError } from '../error.js';

export type Koffi = typeof import('koffi')['default'];

/** XLA's compiler needs more than koffi's default of 128 KiB. */
const stackSize = 16 * 2 ** 20;

let loaded: Promise<Koffi> | undefined;

/**
 * Loads koffi, which calls functions of libraries in C. It is an optional dependency, which only `XlaRuntime` needs.
 * @throws XlaError if it is not installed, or does not load on this computer.
 */
export function loadKoffi(): Promise<Koffi> {
  loaded ??= import('koffi').then(
    ({ default: koffi }) => {
      koffi.config({ sync_stack_size: stackSize, async_stack_size: stackSize });
      return koffi;
    },
    (cause: Error) => {
      throw new XlaError(`XLA needs koffi, which does not load: ${cause.message}. Run "npm install koffi".`, { cause });
    },
  );
  return loaded;
}
