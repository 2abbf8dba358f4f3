import {
  bindParameters,
  type CheckpointTensor,
  checkpointTensors,
  decodeParameter,
  type InMemory,
  matchParameters,
  quantizeBlocks,
  quantizeColumns,
  quantizeRows,
  type StoredParameter,
} from '@dalle-mini/graph/stored';
import { Values } from '@dalle-mini/testing/values';
import { CheckpointError, fromFloat32, fromInt32 } from '@dalle-mini/weights';
import { describe, expect, test } from 'vitest';

const shape = [3, 40];
const data = new Values(1).floats(shape).data as Float32Array;
const declared = new Map([['w', { shape }]]);

test('each kind of stored parameter is read back as it was written to a checkpoint', () => {
  const stored: InMemory<StoredParameter>[] = [
    { dtype: 'float32', shape, data },
    { kind: 'fp16', dtype: 'float32', shape, halves: Uint16Array.from({ length: 120 }, (_, i) => i * 500) },
    quantizeRows(data, shape),
    quantizeRows(
      data.map((value, i) => (i === 17 ? 1e3 : value)),
      shape,
    ),
    quantizeColumns(data, shape),
    quantizeBlocks(data, shape),
    quantizeBlocks(data, shape, { bits: 4 }),
  ];
  for (const value of stored) expect(bindParameters(declared, checkpointTensors('w', value)).get('w')).toEqual(value);
});

test('parts in a file stay there', () => {
  const place = { folder: '/models', file: 'model.safetensors' };
  const tensors = new Map<string, CheckpointTensor>([
    ['w.columns', { dtype: 'U8', shape: [40, 3], ...place, offset: 100 }],
    ['w.scales', { dtype: 'F32', shape: [3], ...place, offset: 40 }],
  ]);
  expect(bindParameters(declared, tensors).get('w')).toEqual({
    kind: 'columns',
    dtype: 'float32',
    shape,
    columns: { ...place, offset: 100 },
    scales: { ...place, offset: 40 },
  });
});

test('floats and integers of other widths are converted in memory, but refused in a file', () => {
  const bfloat = fromFloat32(data, shape, 'BF16');
  expect(bindParameters(declared, new Map([['w', bfloat]])).get('w')).toMatchObject({ dtype: 'float32', shape });
  const inFile = { dtype: 'BF16', shape, folder: '/models', file: 'model.safetensors', offset: 0 };
  expect(() => bindParameters(declared, new Map([['w', inFile]]))).toThrow(
    'w must be F32 to stay in its file, not BF16',
  );
});

describe('sources', () => {
  const parameters = new Map([
    ['query', { shape: [2, 3] }],
    ['value', { shape: [2, 3] }],
    ['output', { shape: [2, 3] }],
  ]);
  const count = (length: number) => Float32Array.from({ length }, (_, i) => i);
  const checkpoint = new Map([
    ['attention.in', fromFloat32(count(18), [6, 3])],
    ['attention.out/kernel', fromFloat32(count(6), [3, 2])],
  ]);
  const sources = (name: string) =>
    name === 'output'
      ? ['attention.out.weight', { name: 'attention.out/kernel', transposed: true }]
      : [{ name: 'attention.in', part: { index: name === 'query' ? 0 : 2, of: 3 } }];

  test('lead to other names, to parts of a tensor and to transposed matrices', () => {
    const bound = bindParameters(parameters, checkpoint, { sources });
    const values = (name: string) => [...decodeParameter(bound.get(name)!)];
    expect(values('query')).toEqual([0, 1, 2, 3, 4, 5]);
    expect(values('value')).toEqual([12, 13, 14, 15, 16, 17]);
    expect(values('output')).toEqual([0, 2, 4, 1, 3, 5]);
  });

  test('are named once in an error if several parameters are parts of the same tensor', () => {
    const others = new Map(checkpoint).set('attention.in', fromFloat32(count(6), [6]));
    expect(() => matchParameters(parameters, others, { sources })).toThrow(
      'describes: attention.in must have shape [6, 3], not [6]. Pass',
    );
  });

  test('are matched by the shape in the checkpoint', () => {
    const others = new Map(checkpoint).set('attention.out/kernel', fromFloat32(count(6), [2, 3]));
    expect(() => matchParameters(parameters, others, { sources })).toThrow(
      'attention.out/kernel must have shape [3, 2], not [2, 3]',
    );
  });
});

test('an error lists all missing, different and unknown tensors', () => {
  const names = Array.from({ length: 7 }, (_, i) => `layers.${i}`);
  const parameters = new Map([...names, 'a', 'b'].map((name) => [name, { shape: [2] }]));
  const checkpoint = new Map([
    ['a', fromFloat32(new Float32Array(3), [3])],
    ['b', fromFloat32(new Float32Array(1), [1])],
    ['positions', fromInt32(new Int32Array(1), [1])],
    ['extra', fromInt32(new Int32Array(1), [1])],
  ]);
  const bind = () => bindParameters(parameters, checkpoint, { isUnneeded: (name) => name === 'positions' });
  expect(bind).toThrow(CheckpointError);
  expect(bind).toThrow(
    'The weights must be those that the configuration describes: layers.0, layers.1, layers.2, layers.3, layers.4 and 2 more ' +
      'are missing; extra is not a tensor of this model; a must have shape [2], not [3]; b must have shape [2], not [1]. ' +
      'Pass the weights and the configuration of the same model.',
  );
});
