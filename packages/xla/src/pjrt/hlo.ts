/** Reads compiled programs, in the encoding of Protocol Buffers. */
import { PbfReader } from 'pbf';

/**
 * Where a module has the opcodes of its instructions: HloModuleProto.computations, HloComputationProto.instructions and
 * HloInstructionProto.opcode in xla/service/hlo.proto.
 */
const opcodes = [3, 2, 2];

/** Where a program has its module, by the name of its format. */
const modules: Readonly<Record<string, readonly number[]>> = {
  hlo: [],
  // HloModuleProtoWithConfig.hlo_module.
  hlo_with_config: [1],
};

/** The opcodes of instructions that send data between devices. */
const collectives = ['all-reduce', 'all-gather', 'reduce-scatter', 'all-to-all', 'collective-permute'];

/**
 * Counts the instructions that send data between devices, by their opcodes. One that starts and ends separately counts once.
 * Returns undefined for a format that is not HLO.
 */
export function countCollectives(program: Uint8Array, format: string): Record<string, number> | undefined {
  const module = modules[format];
  if (!module) return undefined;
  const counts: Record<string, number> = {};
  const count = (opcode: string) => {
    const name = opcode.replace(/-start$/, '');
    if (collectives.includes(name)) counts[name] = (counts[name] ?? 0) + 1;
  };
  new PbfReader(program).readFields(eachText([...module, ...opcodes], count), undefined);
  return counts;
}

/** Returns a reader of messages that visits the texts at a path of fields. */
function eachText([field, ...rest]: readonly number[], visit: (text: string) => void) {
  return (tag: number, _: undefined, reader: PbfReader): void => {
    if (tag !== field) return;
    if (rest.length === 0) visit(reader.readString());
    else reader.readMessage(eachText(rest, visit), undefined);
  };
}
