import { type Koffi, keepLoaded, loadKoffi as load } from '@dalle-mini/hosts/koffi';
import { XlaError } from '../error.js';

export { type Koffi, keepLoaded };

/**
 * Loads koffi, which calls functions of libraries in C. It is an optional dependency, which only `XlaRuntime` needs.
 * @throws XlaError if it is not installed, or does not load on this computer.
 */
export function loadKoffi(): Promise<Koffi> {
  return load().catch((cause: Error) => {
    throw new XlaError(`XLA needs koffi, which does not load: ${cause.message}. Run "npm install koffi".`, { cause });
  });
}
