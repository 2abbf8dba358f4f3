import { DisposedError } from '@dalle-mini/core';
import { checkParameters } from '../stored/check-parameters.js';
import { readParameter } from '../stored/read-parameter.js';
import type { Graph, Tensor } from '../tensor.js';
import { parametersOf } from '../traversal.js';
import { bindInputs } from './bound-inputs.js';
import { detach } from './detach.js';
import {
  type CompileOptions,
  checkInputs,
  type Executable,
  expectedInputs,
  type RunOptions,
  type Runtime,
  type TensorValues,
} from './runtime.js';
import { download, evaluate, planOf, type Tfjs, upload, type Value } from './tfjs-interpreter.js';

export { interpret, type Tfjs } from './tfjs-interpreter.js';

/**
 * Computes graphs with TensorFlow.js, on the backend of the given module. A run computes on the calling thread. A CPU backend blocks
 * this thread.
 */
export class TfjsRuntime implements Runtime, AsyncDisposable {
  readonly name = 'tfjs';
  private readonly open = new Set<Executable>();

  /** @param tf The module: `await loadTfjs()`, or one with a backend of the caller's choice. */
  constructor(private readonly tf: Tfjs) {}

  async compile(graph: Graph, options: CompileOptions = {}): Promise<Executable> {
    const { tf, open } = this;
    const expected = expectedInputs(graph, options);
    const parameters = options.parameters ? parametersOf(Object.values(graph.outputs)) : new Map<string, Tensor>();
    checkParameters(parameters, options.parameters ?? new Map());
    const program = planOf(graph, new Map([...expected, ...parameters]), [...expected.values()]);
    const resident = new Map<Tensor, Value>();
    const release = () => tf.dispose([...resident.values()]);
    try {
      for (const [name, tensor] of parameters)
        resident.set(tensor, tf.keep(upload(tf, await readParameter(options.parameters!.get(name)!))));
    } catch (error) {
      release();
      throw error;
    }

    const executable: Executable = {
      bind: async (inputs) => bindInputs(graph, expected, executable, inputs),
      async run(inputs: TensorValues, { transfer = false }: RunOptions = {}) {
        if (!open.has(executable))
          throw new DisposedError('run: this executable was disposed of. Compile the graph again.');
        checkInputs(expected, inputs);
        const results = tf.tidy(() => {
          const values = new Map<Tensor, Value>(resident);
          for (const [name, tensor] of expected) values.set(tensor, upload(tf, inputs[name]!));
          if (transfer) detach(inputs);
          return evaluate(tf, program, values);
        });
        try {
          const outputs = Object.entries(graph.outputs).map(async ([name, tensor], i) => {
            return [name, await download(tensor, results[i]!)] as const;
          });
          return Object.fromEntries(await Promise.all(outputs));
        } finally {
          tf.dispose(results);
        }
      },
      async dispose() {
        if (open.delete(executable)) release();
      },
    };
    open.add(executable);
    return executable;
  }

  async dispose(): Promise<void> {
    for (const executable of this.open) await executable.dispose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }
}

/** Packages with a backend for `@tensorflow/tfjs-core`, fastest first. */
const backends = ['@tensorflow/tfjs-backend-wasm', '@tensorflow/tfjs-backend-cpu'];

/**
 * Loads the fastest installed TensorFlow.js, in Node.js: `@tensorflow/tfjs-node`, or else `@tensorflow/tfjs-core` with the registered
 * backends, or with `@tensorflow/tfjs-backend-wasm` or `@tensorflow/tfjs-backend-cpu` if no backend is registered.
 *
 * @throws Error if none of them is installed, or if an installed one does not load.
 */
export async function loadTfjs(): Promise<Tfjs> {
  // tfjs-node 4.22 calls a function that Node.js 23 removed.
  const util: { isNullOrUndefined?: (value: unknown) => boolean } = (await import('node:util')).default;
  util.isNullOrUndefined ??= (value) => value === null || value === undefined;
  const native = await importIfInstalled('@tensorflow/tfjs-node');
  if (native) return native;
  const tf = await importIfInstalled('@tensorflow/tfjs-core');
  for (const backend of backends) {
    if (!tf || tf.engine().backendNames().length > 0) break;
    await importIfInstalled(backend);
  }
  if (!tf || tf.engine().backendNames().length === 0) {
    throw new Error(
      'TensorFlow.js is not installed. Run `npm install @tensorflow/tfjs-node`, or, without native code, ' +
        '`npm install @tensorflow/tfjs-core @tensorflow/tfjs-backend-wasm`.',
    );
  }
  await tf.ready();
  return tf;
}

async function importIfInstalled(name: string): Promise<Tfjs | undefined> {
  try {
    return (await import(name)) as Tfjs;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const absent = (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') && message.includes(`'${name}'`);
    if (absent) return undefined;
    throw new Error(`${name} is installed, but does not load: ${message}`, { cause: error });
  }
}
