import { type Runtime, sizeOf, type TensorData, type TensorValues } from '@dalle-mini/graph';

/**
 * A runtime that computes nothing: every output is zero, unless `change` says otherwise of those of the training graph. It
 * remembers what the training graph was given at each run.
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
          // A copy: what is given may be changed when the run is over.
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
