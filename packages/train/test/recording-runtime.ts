import { type Runtime, sizeOf, type TensorData, type TensorValues } from '@dalle-mini/graph';

/** A runtime that computes nothing: every output is zero. It remembers what the training graph was given at each run. */
export function recordingRuntime(): Runtime & { readonly runs: TensorValues[] } {
  const runs: TensorValues[] = [];
  return {
    name: 'recording',
    runs,
    compile: async ({ inputs, outputs }) => ({
      run: async (values) => {
        if ('learningRate' in inputs) runs.push(values);
        const zeros = Object.entries(outputs).map(([name, { dtype, shape }]): [string, TensorData] => {
          const data = dtype === 'int32' ? new Int32Array(sizeOf(shape)) : new Float32Array(sizeOf(shape));
          return [name, { dtype, shape, data } as TensorData];
        });
        return Object.fromEntries(zeros);
      },
      dispose: async () => undefined,
    }),
    dispose: async () => undefined,
  };
}
