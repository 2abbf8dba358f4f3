import { input, type TensorData } from '@dalle-mini/graph';

/** Options of sampling as inputs of its graph. */
export interface Options {
  readonly temperature: number;
  readonly topK: number;
  readonly topP: number;
}

export const float = (data: readonly number[] | Float32Array, shape: readonly number[] = []): TensorData => ({
  dtype: 'float32',
  shape,
  data: Float32Array.from(data),
});

export const valuesOf = ({ temperature, topK, topP }: Options): Record<keyof Options, TensorData> => ({
  temperature: float([temperature]),
  topK: { dtype: 'int32', shape: [], data: Int32Array.of(topK) },
  topP: float([topP]),
});

export const inputsOf = () => ({
  temperature: input('temperature', []),
  topK: input('topK', [], 'int32'),
  topP: input('topP', []),
});

/** The largest uniform number in [0, 1) of the random generator. */
export const lastUniform = 1 - 2 ** -24;
