import { expect, test } from 'vitest';
import { compileOptions } from '../src/pjrt/compile-options.js';

test('the options are those of CompileOptionsProto', () => {
  // executable_build_options { num_replicas: 1 num_partitions: 1 }
  expect([...compileOptions(1)]).toEqual([0x1a, 4, 0x20, 1, 0x28, 1]);
  // … num_partitions: 300 use_spmd_partitioning: true use_shardy_partitioner: true
  expect([...compileOptions(300)]).toEqual([0x1a, 10, 0x20, 1, 0x28, 0xac, 2, 0x30, 1, 0x98, 1, 1]);
  // executable_build_options { … device_assignment { replica_count: 1 computation_count: 1 computation_devices { replica_device_ids: 5 } } }
  const assignment = [0x4a, 9, 0x08, 1, 0x10, 1, 0x1a, 3, 0x0a, 1, 5];
  expect([...compileOptions(1, [5])]).toEqual([0x1a, 15, 0x20, 1, 0x28, 1, ...assignment]);
});
