/** The options of a compilation, in the encoding of Protocol Buffers. */

/** Numbers of fields in xla/pjrt/proto/compile_options.proto. */
const executableBuildOptions = 3;
const numReplicas = 4;
const numPartitions = 5;
const useSpmdPartitioning = 6;
const deviceAssignment = 9;
const useShardyPartitioner = 19;

function varint(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest];
    bytes.push((rest % 128) + 128);
  }
}

/** A field that is a number or a boolean. */
const number = (field: number, value: number): number[] => [...varint(field << 3), ...varint(value)];

/** A field that is a message. */
const message = (field: number, bytes: readonly number[]): number[] => [
  ...varint((field << 3) | 2),
  ...varint(bytes.length),
  ...bytes,
];

/** Numbers of fields of DeviceAssignmentProto in xla/xla_data.proto. */
const replicaCount = 1;
const computationCount = 2;
const computationDevices = 3;
const replicaDeviceIds = 1;

/**
 * Returns the options for a module that the given number of devices compute together.
 *
 * @param deviceIds The devices, where there is no client that knows them.
 */
export function compileOptions(devices: number, deviceIds?: readonly number[]): Uint8Array {
  const assignment = deviceIds && [
    ...number(replicaCount, 1),
    ...number(computationCount, devices),
    ...deviceIds.flatMap((id) => message(computationDevices, message(replicaDeviceIds, varint(id)))),
  ];
  const build = [
    ...number(numReplicas, 1),
    ...number(numPartitions, devices),
    ...(devices > 1 ? [...number(useSpmdPartitioning, 1), ...number(useShardyPartitioner, 1)] : []),
    ...(assignment ? message(deviceAssignment, assignment) : []),
  ];
  return Uint8Array.from(message(executableBuildOptions, build));
}
