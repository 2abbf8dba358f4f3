import { type Runtime, sizeOf, type TensorData, type TensorValues } from '@dalle-mini/graph';

/**
 * A runtime that does not compute: every output is zero, except those of the training graph that `change` changes. It
 * records the inputs of the training graph at each run.
 *
 * @param change Is told the number of the run, from 0.
 */
export function recordingRuntime(
  change: (outputs: Record<string, TensorData>, run: number) => void = () => undefined,
): Runtime & { readonly runs: TensorValues[] } {
  const runs: TensorValues[] = [];
  return {
    name: 'recording',
    runs,
    compile: async ({ inputs, outputs }) => ({
      run: async (values) => {
        const results: Record<string, TensorData> = {};
        for (const [name, { dtype, shape }] of Object.entries(outputs)) {
          const data = dtype === 'int32' ? new Int32Array(sizeOf(shape)) : new Float32Array(sizeOf(shape));
          results[name] = { dtype, shape, data } as TensorData;
        }
        if ('learningRate' in inputs) {
          change(results, runs.length);
          // A copy, because inputs may change after the run.
          runs.push(structuredClone(values));
        }
        return results;
      },
      bind: () => Promise.reject(new Error('not bound')),
      dispose: async () => undefined,
    }),
    dispose: async () => undefined,
  };
}
