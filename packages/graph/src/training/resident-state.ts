/** State that stays with the runtime from run to run. */
import { GraphError } from '../graph-error.js';
import type { Executable, ResidentState, TensorValues } from '../runtimes/runtime.js';
import { sameShape } from '../shape.js';
import type { TensorData } from '../tensor.js';

/**
 * Keeps inputs from run to run. Each run replaces them by the outputs of the same names. They stay in the memory of the runtime if it
 * can hold them; otherwise each run takes them from JavaScript and returns them to it.
 *
 * @param values The first values of the state. Their buffers are transferred: they are empty after the first run.
 * @throws GraphError if a value does not fit its input.
 */
export async function holdState(
  executable: Pick<Executable, 'run' | 'holdState'>,
  values: TensorValues,
): Promise<ResidentState> {
  return executable.holdState ? executable.holdState(values, { transfer: true }) : new PassedState(executable, values);
}

/** State that is passed to each run, and taken from its outputs. */
class PassedState implements ResidentState {
  readonly names: ReadonlySet<string>;
  private state: Record<string, TensorData>;

  constructor(
    private readonly executable: Pick<Executable, 'run'>,
    values: TensorValues,
  ) {
    this.state = { ...values };
    this.names = new Set(Object.keys(values));
  }

  async run(inputs: TensorValues): Promise<Record<string, TensorData>> {
    const outputs = await this.executable.run({ ...this.state, ...inputs }, { transfer: true });
    for (const name of this.names) {
      this.state[name] = outputs[name]!;
      delete outputs[name];
    }
    return outputs;
  }

  async read(names: Iterable<string> = this.names): Promise<Record<string, TensorData>> {
    return Object.fromEntries([...names].map((name) => [name, this.state[name]!]));
  }

  async write(values: TensorValues): Promise<void> {
    for (const [name, { dtype, shape }] of Object.entries(values)) {
      const known = this.state[name];
      if (known?.dtype !== dtype || !sameShape(known.shape, shape))
        throw new GraphError(
          `write: ${name} must be ${known ? `${known.dtype}[${known.shape}]` : 'part of the state'}, not ${dtype}[${shape}].`,
        );
    }
    Object.assign(this.state, values);
  }

  async dispose(): Promise<void> {
    this.state = {};
  }
}
