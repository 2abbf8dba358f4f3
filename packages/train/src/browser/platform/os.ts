/** What the log of a run uses of `node:os`. */
interface Browser {
  readonly navigator: {
    readonly hardwareConcurrency: number;
    readonly userAgent: string;
    /** Gigabytes, roughly. */
    readonly deviceMemory?: number;
  };
}

const { navigator } = globalThis as unknown as Browser;

export const cpus = () => Array.from({ length: navigator.hardwareConcurrency }, () => ({ model: navigator.userAgent }));
export const totalmem = (): number => 2 ** 30 * (navigator.deviceMemory ?? 0);
export const platform = (): string => 'browser';
export const arch = (): string => 'wasm';
export const hostname = (): string => 'browser';
