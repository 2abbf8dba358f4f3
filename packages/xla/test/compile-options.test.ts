import { expect, test } from 'vitest';
import { compileOptions } from '../src/pjrt/compile-options.js';

test('the options are those of CompileOptionsProto', () => {
  // executable_build_options { num_replicas: 1 num_partitions: 1 }
  expect([...compileOptions(1)]).toEqual([0x1a, 4, 0x20, 1, 0x28, 1]);
  // … num_partitions: 300 use_spmd_partitioning: true use_shardy_partitioner: true
  expect([...compileOptions(300)]).toEqual([0x1a, 10, 0x20, 1, 0x28, 0xac, 2, 0x30, 1, 0x98, 1, 1]);
});
