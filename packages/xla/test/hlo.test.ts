import { PbfWriter } from 'pbf';
import { expect, test } from 'vitest';
import { countCollectives } from '../src/pjrt/hlo.js';

/** An HloModuleProto with a name and computations of the given opcodes. Each instruction has a name and an opcode. */
function module(computations: readonly (readonly string[])[]): Uint8Array {
  const writer = new PbfWriter();
  writer.writeStringField(1, 'all-reduce');
  for (const opcodes of computations) {
    writer.writeMessage(
      3,
      (_, computation) => {
        for (const [i, opcode] of opcodes.entries()) {
          computation.writeMessage(
            2,
            (_, instruction) => {
              instruction.writeStringField(1, `all-gather.${i}`);
              instruction.writeStringField(2, opcode);
            },
            undefined,
          );
        }
      },
      undefined,
    );
  }
  return writer.finish();
}

const opcodes = [
  ['add', 'all-reduce', 'all-gather-start', 'all-gather-done'],
  ['all-reduce', 'reduce-scatter'],
];
const counts = { 'all-reduce': 2, 'all-gather': 1, 'reduce-scatter': 1 };

test('instructions that send data are counted in all computations, and once if they start and end separately', () => {
  expect(countCollectives(module(opcodes), 'hlo')).toEqual(counts);
  expect(countCollectives(module([]), 'hlo')).toEqual({});
});

test('a module inside of its configuration is read too, and other formats are not', () => {
  const writer = new PbfWriter();
  writer.writeBytesField(1, module(opcodes));
  expect(countCollectives(writer.finish(), 'hlo_with_config')).toEqual(counts);
  expect(countCollectives(module(opcodes), 'mlir')).toBeUndefined();
});
