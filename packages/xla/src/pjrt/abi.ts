/**
 * The C API of PJRT (xla/pjrt/c/pjrt_c_api.h), as far as this package uses it. Every function takes one struct, whose first field is its
 * size, and returns an error or null. The header only appends: functions keep their places, and fields their offsets.
 */

/** A function's place in the table, and its struct: the size and the offsets of its fields, in bytes. Fields are 8 bytes apart. */
export interface PjrtFunction<Field extends string = string> {
  readonly slot: number;
  readonly size: number;
  readonly fields: Readonly<Record<Field, number>>;
}

/** Two fields of eight bytes come first: the size of the struct, and its extensions. */
const firstField = 16;

/** Describes a function whose fields have eight bytes each and follow each other. */
function of<const Names extends readonly string[]>(slot: number, ...names: Names): PjrtFunction<Names[number]> {
  const fields = Object.fromEntries(names.map((name, i) => [name, firstField + 8 * i]));
  return { slot, size: firstField + 8 * names.length, fields: fields as Record<Names[number], number> };
}

export const functions = {
  errorDestroy: of(0, 'error'),
  errorMessage: of(1, 'error', 'message', 'messageSize'),
  errorGetCode: of(2, 'error', 'code'),
  pluginInitialize: of(3),
  pluginAttributes: of(4, 'attributes', 'count'),
  eventDestroy: of(5, 'event'),
  eventIsReady: of(6, 'event', 'isReady'),
  eventAwait: of(8, 'event'),
  clientCreate: of(
    10,
    'options',
    'optionCount',
    'getCallback',
    'getArgument',
    'putCallback',
    'putArgument',
    'client',
    'tryGetCallback',
    'tryGetArgument',
  ),
  clientDestroy: of(11, 'client'),
  clientPlatformName: of(12, 'client', 'name', 'nameSize'),
  clientPlatformVersion: of(14, 'client', 'version', 'versionSize'),
  clientAddressableDevices: of(16, 'client', 'devices', 'count'),
  clientCompile: of(20, 'client', 'program', 'options', 'optionsSize', 'executable'),
  clientBufferFromHostBuffer: of(
    22,
    'client',
    'data',
    'type',
    'dimensions',
    'dimensionCount',
    'strides',
    'strideCount',
    'semantics',
    'device',
    'memory',
    'layout',
    'doneWithHostBuffer',
    'buffer',
  ),
  deviceDescriptionId: of(23, 'description', 'id'),
  deviceDescriptionProcessIndex: of(24, 'description', 'index'),
  deviceDescriptionKind: of(26, 'description', 'kind', 'kindSize'),
  deviceGetDescription: of(29, 'device', 'description'),
  executableDestroy: of(40, 'executable'),
  executableNumOutputs: of(44, 'executable', 'count'),
  executableOptimizedProgram: of(48, 'executable', 'program'),
  executableSerialize: of(49, 'executable', 'bytes', 'bytesSize', 'serialized', 'deleter'),
  loadedExecutableDestroy: of(50, 'executable'),
  loadedExecutableGetExecutable: of(51, 'loaded', 'executable'),
  loadedExecutableExecute: of(
    55,
    'executable',
    'options',
    'arguments',
    'deviceCount',
    'argumentCount',
    'outputs',
    'events',
    'device',
  ),
  executableDeserializeAndLoad: of(
    56,
    'client',
    'bytes',
    'bytesSize',
    'executable',
    'options',
    'optionsSize',
    'loadOptions',
  ),
  bufferDestroy: of(58, 'buffer'),
  bufferToHostBuffer: of(70, 'source', 'layout', 'destination', 'destinationSize', 'event'),
  topologyCreate: of(82, 'name', 'nameSize', 'options', 'optionCount', 'topology'),
  topologyDestroy: of(83, 'topology'),
  topologyDeviceDescriptions: of(86, 'topology', 'descriptions', 'count'),
  compile: of(89, 'topology', 'program', 'options', 'optionsSize', 'client', 'executable'),
  executableCompiledMemoryStats: of(
    96,
    'executable',
    'code',
    'arguments',
    'outputs',
    'aliased',
    'temporary',
    // The same on the host.
    'hostCode',
    'hostArguments',
    'hostOutputs',
    'hostAliased',
    'hostTemporary',
  ),
} as const;

/** Structs that others point to. */
export const structs = {
  program: of(-1, 'code', 'codeSize', 'format', 'formatSize'),
  namedValue: of(-1, 'name', 'nameSize', 'type', 'value', 'valueSize'),
  // Of its many fields none is set. Their number is that of header 0.114.
  executeOptions: { slot: -1, size: 144, fields: {} },
} satisfies Record<string, PjrtFunction>;

/** The structs with which a plugin calls the key-value store of several hosts. `makeError` points to a pointer to a function. */
export const keyValueCallbacks = {
  get: of(-1, 'key', 'keySize', 'timeout', 'makeError', 'argument', 'value', 'valueSize', 'deleter'),
  put: of(-1, 'key', 'keySize', 'value', 'valueSize', 'makeError', 'argument'),
  tryGet: of(-1, 'key', 'keySize', 'makeError', 'argument', 'value', 'valueSize', 'deleter'),
} satisfies Record<string, PjrtFunction>;

/** The types of a named value. */
export const valueTypes = { string: 0, int64: 1, bool: 4 } as const;

/** The types of a buffer's elements. */
export const bufferTypes = { bool: 1, int8: 2, int32: 4, uint8: 6, float16: 10, float32: 11 } as const;

/** The host's memory is read before the call returns. */
export const onlyDuringCall = 0;

/** The kinds of errors, by their codes. */
export const statuses: readonly string[] = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
];

/** The versions of the API whose table begins with these functions. Tested are 0.106 to 0.117. */
export const apiMajor = 0;
export const apiMinorAtLeast = 90;

/** Bytes before the table of functions: the size, the extensions, and the version, which is a struct too. */
export const tableOffset = 40;
export const versionOffset = 32;
