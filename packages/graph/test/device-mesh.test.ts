import { readConfig } from '@dalle-mini/core';
import { deviceCount, deviceMeshField, shardingField } from '@dalle-mini/graph/stablehlo';
import { expect, test } from 'vitest';

test('a mesh has as many devices as the product of its axes', () => {
  expect(deviceCount({})).toBe(1);
  expect(deviceCount({ data: 4, model: 2 })).toBe(8);
});

test('a mesh is read with the sizes of its axes, each at least 1', () => {
  expect(readConfig(deviceMeshField, { data: 4 }, 'mesh')).toEqual({ data: 4 });
  expect(() => readConfig(deviceMeshField, { data: 0 }, 'mesh')).toThrow(
    'data must be a whole number from 1 to 65536, not 0.',
  );
  expect(() => readConfig(deviceMeshField, { tensor: 2 }, 'mesh')).toThrow('tensor is not known');
});

test('a sharding is one of the given names, or a list of rules', () => {
  const field = shardingField(['replicated', 'fsdp']);
  const rules = [{ match: 'layers.*.weight', axes: ['model', null] }] as const;
  expect(field.read('fsdp', 'sharding')).toBe('fsdp');
  expect(field.read(rules, 'sharding')).toEqual(rules);
  expect(() => field.read('zero3', 'sharding')).toThrow('"replicated", "fsdp" or a list of partition rules');
  expect(() => field.read([{ match: 'a', axes: ['tensor'] }], 'sharding')).toThrow('sharding[0].axes[0]');
});
