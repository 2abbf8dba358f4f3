import { DisposedError } from '@dalle-mini/core';
import type { Executable, RuntimeOwnership } from '@dalle-mini/graph';

/** Compiled graphs by name. */
export type Executables<Name extends string> = Readonly<Record<Name, Executable>>;

/** The graphs of a decoder, compiled once for each shape. */
export class CompiledGraphs<Shape extends object, Name extends string> {
  private readonly compiled = new Map<string, Promise<Executables<Name>>>();
  private disposed = false;

  constructor(
    private readonly owner: RuntimeOwnership,
    private readonly compile: (shape: Shape) => Promise<Executables<Name>>,
  ) {}

  /** @throws DisposedError after `dispose`. */
  checkOpen(): void {
    if (this.disposed) throw new DisposedError('This decoder was disposed of. Make another one.');
  }

  /** Returns the graphs for a shape, which are compiled on first use. What failed is tried again. */
  get(shape: Shape): Promise<Executables<Name>> {
    const key = Object.values(shape).join(' ');
    let executables = this.compiled.get(key);
    if (!executables) {
      executables = this.compile(shape);
      this.compiled.set(key, executables);
      executables.catch(() => this.compiled.delete(key));
    }
    return executables;
  }

  /** Frees the graphs, and the runtime if the decoder owns it. */
  async dispose(): Promise<void> {
    this.disposed = true;
    const all = await Promise.allSettled(this.compiled.values());
    this.compiled.clear();
    const executables = all.flatMap((result) =>
      result.status === 'fulfilled' ? Object.values<Executable>(result.value) : [],
    );
    await Promise.all(executables.map((executable) => executable.dispose()));
    if (this.owner.ownsRuntime) await this.owner.runtime.dispose();
  }
}
