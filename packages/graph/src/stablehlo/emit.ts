import { GraphError } from '../graph-error.js';
import { isOperation } from '../operation.js';
import { loopBody } from '../operators.js';
import { appendedInputs } from '../runtimes/bound-inputs.js';
import { sameShape } from '../shape.js';
import { type StoredDType, storedDtypes } from '../stored/part.js';
import { kindOf, layoutOf, type StoredDescription } from '../stored/stored-parameter.js';
import type { DType, Graph, Operation, Shape, Tensor } from '../tensor.js';
import { parametersOf, topologicalOrder } from '../traversal.js';
import { type AxisSize, type AxisSizes, addSizes, keyOf, outputSizes, sizeOfAxis } from './axis-size.js';
import { StableHloEmitter, typeOf, type Value } from './emitter.js';
import { type Lowering, lowerings } from './lowerings.js';
import {
  checkMesh,
  checkSharding,
  deviceCount,
  type Mesh,
  meshText,
  type OpenSharding,
  type Sharding,
  shardingText,
} from './sharding.js';

export interface StableHloOptions {
  /**
   * The element type in which the operands of matrix products and convolutions are multiplied. With `bfloat16`, they are rounded to it
   * before. All tensors of the graph stay float32. Default `float32`.
   */
  readonly compute?: 'float32' | 'bfloat16' | undefined;
  /**
   * Names of inputs and parameters whose memory the output of the same name takes over, so that state is not held twice. Their values
   * are lost in a run. Default: none.
   */
  readonly donate?: Iterable<string> | undefined;
  /**
   * Whether runs append to dynamic inputs the outputs of the same name, as `Executable.bind` does. Each of these outputs then is the
   * whole input after the run, and takes over its memory. Default false.
   */
  readonly append?: boolean | undefined;
  /**
   * The forms in which parameters are stored, by their names. The parts of a stored parameter are arguments of the module, which decodes
   * them where it uses them: quantized weights stay quantized in the memory of the device. Default: every parameter is dense.
   */
  readonly stored?: ReadonlyMap<string, StoredDescription> | undefined;
  /** The devices that compute one run together. Default: one device. */
  readonly mesh?: Mesh | undefined;
  /**
   * Returns how an input, a parameter or an output is divided over the mesh; undefined if it is whole on every device. XLA divides
   * everything between them.
   */
  readonly sharding?:
    | ((name: string, shape: Shape, kind: 'input' | 'parameter' | 'output') => Sharding | undefined)
    | undefined;
  /**
   * Returns how a tensor inside of the graph must be divided, where it is computed (`result`), or where products and lookups use it
   * (`operand`); undefined if XLA may choose. Each use is divided anew, so that no collected parts stay in memory between two uses.
   */
  readonly constraint?: Constraint | undefined;
}

/** How a tensor inside of a graph is to be divided. */
export type Constraint = (tensor: Tensor, use: 'result' | 'operand') => OpenSharding | undefined;

/** An argument of the main function of a module. */
export interface StableHloArgument {
  /** The name of an input or a parameter. The parts of a stored parameter have the names of its tensors in a checkpoint. */
  readonly name: string;
  /** `size` is the size of the dynamic axis of the input `name`, an int32 scalar. */
  readonly kind: 'input' | 'parameter' | 'size';
  readonly shape: Shape;
  readonly dtype: StoredDType;
  /** Whether the memory of the argument is taken over by a result. */
  readonly isDonated: boolean;
  readonly sharding: Sharding | undefined;
}

/** A result of the main function of a module: an output of the graph. */
export interface StableHloResult {
  readonly name: string;
  readonly shape: Shape;
  readonly dtype: DType;
  /** The axes that are padded to `shape`, with their sizes. */
  readonly sizes: AxisSizes;
  readonly sharding: Sharding | undefined;
}

/** A graph as text of StableHLO, with what a program needs to call it. */
export interface StableHloModule {
  readonly text: string;
  /** The graph's inputs, then its parameters, then the sizes of dynamic inputs. */
  readonly arguments: readonly StableHloArgument[];
  readonly results: readonly StableHloResult[];
  /** Sizes of dynamic axes that must be equal in each run, or the results are meaningless. */
  readonly equalSizes: readonly (readonly [AxisSize, AxisSize])[];
  /** The devices that compute it, and their number. */
  readonly mesh: Mesh;
  readonly devices: number;
}

/**
 * Emits a graph as a module of StableHLO, the language of XLA, in the syntax of MLIR.
 *
 * Arrays of XLA have fixed shapes. A dynamic axis is padded to its largest size, the module gets its size as an argument of its own,
 * and operators that combine elements along it leave the padding out: one module computes all sizes exactly.
 *
 * @throws GraphError if an option does not fit the graph, or if two names collide.
 *
 * @example
 * ```ts
 * import { input, matmul } from '@dalle-mini/graph';
 * import { emitStableHlo } from '@dalle-mini/graph/stablehlo';
 *
 * const x = input('x', [2, 3]);
 * const { text } = emitStableHlo({ inputs: { x }, outputs: { y: matmul(x, x, { transposeB: true }) } });
 * console.log(text.includes('stablehlo.dot_general')); // true
 * ```
 */
export function emitStableHlo(graph: Graph, options: StableHloOptions = {}): StableHloModule {
  const { compute = 'float32', mesh = {} } = options;
  checkMesh(mesh);
  const devices = deviceCount(mesh);
  const emitter = new StableHloEmitter(compute);
  const equalSizes = new Map<string, readonly [AxisSize, AxisSize]>();
  const outputs = Object.entries(graph.outputs);
  const parameters = parametersOf(Object.values(graph.outputs));
  const appended = options.append ? appendedInputs(graph) : [];
  const donated = donatedTo(graph, parameters, [...(options.donate ?? []), ...appended.map(({ name }) => name)]);

  const shardingOf = (name: string, shape: Shape, kind: 'input' | 'parameter' | 'output') => {
    const sharding = options.sharding?.(name, shape, kind);
    if (sharding) checkSharding(name, shape, sharding, mesh);
    return sharding;
  };
  /** Whole tensors are annotated too: XLA would divide them as it likes. */
  const attributes = (list: readonly string[], shape: Shape, sharding: Sharding | undefined) => {
    const all = devices > 1 ? [...list, shardingText(sharding ?? shape.map(() => []))] : list;
    return all.length > 0 ? ` {${all.join(', ')}}` : '';
  };

  const arguments_: StableHloArgument[] = [];
  const signature: string[] = [];
  const argument = (
    { shape, dtype }: Pick<StableHloArgument, 'shape' | 'dtype'>,
    name: string,
    kind: StableHloArgument['kind'],
    sizes: AxisSizes = new Map(),
  ): Value => {
    const sharding = kind === 'size' ? undefined : shardingOf(name, shape, kind);
    const output = kind === 'size' ? undefined : donated.get(name);
    const value: Value = { name: `%arg${arguments_.length}`, shape, dtype, sizes };
    const aliasing = output === undefined ? [] : [`tf.aliasing_output = ${output} : i32`];
    signature.push(`${value.name}: ${typeOf(value)}${attributes(aliasing, shape, sharding)}`);
    arguments_.push({ name, kind, shape, dtype, isDonated: output !== undefined, sharding });
    return value;
  };
  const parameter = (name: string, type: Pick<StableHloArgument, 'shape' | 'dtype'>): Value => {
    if (name in graph.inputs)
      throw new GraphError(`emitStableHlo: an input and a parameter are both named ${name}. Rename the input.`);
    return argument(type, name, 'parameter');
  };
  const dynamic: string[] = [];
  for (const [name, tensor] of Object.entries(graph.inputs)) {
    if (!isOperation(tensor.operation, 'input'))
      throw new GraphError(`emitStableHlo: ${name} must be an input, not the result of ${tensor.operation.name}.`);
    if (tensor.dynamic) dynamic.push(name);
    const sizes = new Map((tensor.dynamic ?? []).map((axis) => [axis, { inputs: [name], constant: 0 }]));
    emitter.define(tensor, argument(tensor, name, 'input', sizes));
  }
  for (const [name, tensor] of parameters) {
    const stored = options.stored?.get(name);
    if (!stored) {
      emitter.define(tensor, parameter(name, tensor));
      continue;
    }
    const parts = layoutOf(stored).map(
      ([field, { suffix, dtype, shape }]) =>
        [field, parameter(name + suffix, { shape, dtype: storedDtypes[dtype] })] as const,
    );
    emitter.defineStored(tensor, (region) => kindOf(stored).lower(region, Object.fromEntries(parts), stored));
  }
  for (const name of dynamic) emitter.defineInputSize(name, argument({ shape: [], dtype: 'int32' }, name, 'size'));

  const equal = (a: AxisSize, b: AxisSize) => {
    const keys = [keyOf(a), keyOf(b)];
    if (keys[0] !== keys[1]) equalSizes.set(keys.join(), [a, b]);
  };
  const constraint = (devices > 1 && options.constraint) || (() => undefined);
  emitOperations(emitter, topologicalOrder(Object.values(graph.outputs)), { equal, constraint });

  const values = outputs.map(([name, tensor]) => {
    const value = emitter.valueOf(tensor);
    const input = appended.find((one) => one.name === name);
    return input ? appendTo(emitter, emitter.valueOf(graph.inputs[name]!), value, input.axis) : value;
  });
  const results = outputs.map(([name], i): StableHloResult => {
    const { shape, dtype, sizes } = values[i]!;
    return { name, shape, dtype: dtype as DType, sizes, sharding: shardingOf(name, shape, 'output') };
  });
  const types = results.map((result) => `${typeOf(result)}${attributes([], result.shape, result.sharding)}`);
  const lines = [
    `module @graph attributes {mhlo.num_partitions = ${devices} : i32, mhlo.num_replicas = 1 : i32} {`,
    ...(devices > 1 ? [`  ${meshText(mesh)}`] : []),
    `  func.func public @main(${signature.join(', ')}) -> (${types.join(', ')}) {`,
    ...indented(emitter.lines, '    '),
    `    return ${values.map(({ name }) => name).join(', ')}${values.length > 0 ? ` : ${values.map(typeOf).join(', ')}` : ''}`,
    '  }',
    '}',
    '',
  ];
  return {
    text: lines.join('\n'),
    arguments: arguments_,
    results,
    equalSizes: [...equalSizes.values()],
    mesh,
    devices,
  };
}

const indented = (lines: readonly string[], indent: string): string[] => lines.map((line) => indent + line);

/** Returns, for each name of an input or a parameter to donate, the index of the output of the same name. */
function donatedTo(
  graph: Graph,
  parameters: ReadonlyMap<string, Tensor>,
  names: readonly string[],
): Map<string, number> {
  const outputs = Object.keys(graph.outputs);
  return new Map(
    names.map((name) => {
      const given = graph.inputs[name] ?? parameters.get(name);
      const output = graph.outputs[name];
      if (!given) throw new GraphError(`donate: ${name} must be an input or a parameter of the graph.`);
      const isAppended = given.dynamic && output;
      if (!isAppended && !(output && output.dtype === given.dtype && sameShape(output.shape, given.shape)))
        throw new GraphError(`donate: ${name} must have an output of the same name, type and shape.`);
      return [name, outputs.indexOf(name)];
    }),
  );
}

/** Appends a block to a dynamic input. The caller of the module checks that it fits. */
function appendTo(emitter: StableHloEmitter, input: Value, block: Value, axis: number): Value {
  const size = sizeOfAxis(input, axis);
  const sizes = new Map([[axis, addSizes([size, sizeOfAxis(block, axis)])]]);
  if (!block.sizes.has(axis)) return { ...emitter.updateAlong(input, axis, block, emitter.size(size)), sizes };
  // A block with padding may reach beyond the end of the input.
  const whole = emitter.append(input, block, axis);
  return {
    ...emitter.slice(
      whole,
      input.shape.map(() => 0),
      input.shape,
    ),
    sizes,
  };
}

/** What the operations of a module and of its loops share. */
interface Shared {
  /** Called with sizes of dynamic axes that must be equal. */
  readonly equal: (a: AxisSize, b: AxisSize) => void;
  readonly constraint: Constraint;
}

/** The operators whose operands a constraint divides. */
const dividesOperands = new Set<string>(['matmul', 'conv2d', 'upsampleConv2d', 'conv2dInputGradient', 'gather']);

/** Emits operations in the given order. */
function emitOperations(emitter: StableHloEmitter, operations: readonly Operation[], shared: Shared): void {
  for (const operation of operations) {
    if (!(operation.name in lowerings) && !isOperation(operation, 'loop')) continue;
    // The other operands of a loop are used in its body only.
    const used = isOperation(operation, 'loop') ? operation.attributes.carried.length : operation.inputs.length;
    const operands = operation.inputs.slice(0, used).map((tensor) => emitter.valueOf(tensor));
    if (dividesOperands.has(operation.name)) divideOperands(emitter, operation, operands, shared.constraint);
    const emitted = isOperation(operation, 'loop')
      ? emitLoop(emitter, operands, operation, shared)
      : (lowerings[operation.name] as Lowering<'add'>)(emitter, operands, operation as never);
    const values = Array.isArray(emitted) ? (emitted as readonly Value[]) : [emitted as Value];
    const sizes = outputSizes(operation, operands, shared.equal);
    for (const [i, tensor] of operation.outputs.entries())
      define(emitter, tensor, { ...values[i]!, sizes: sizes[i]! }, shared);
  }
}

/** Defines the value of a tensor, divided as a constraint says. */
function define(emitter: StableHloEmitter, tensor: Tensor, value: Value, { constraint }: Shared): void {
  const sharding = constraint(tensor, 'result');
  emitter.define(tensor, sharding ? { ...emitter.divide(value, sharding), sizes: value.sizes } : value);
}

/**
 * Divides operands as constraints say. The parts of an operand are collected when the others are known, and for this operation alone: they
 * are in memory for a short time.
 */
function divideOperands(
  emitter: StableHloEmitter,
  { inputs }: Operation,
  operands: Value[],
  constraint: Constraint,
): void {
  const given = [...operands];
  for (const [i, tensor] of inputs.entries()) {
    const sharding = constraint(tensor, 'operand');
    const others = given.filter((_, other) => other !== i);
    if (sharding) operands[i] = emitter.divide(emitter.copy(given[i]!, ...others), sharding);
  }
}

/** Emits a loop. Its state is the iteration, the carried tensors, and the stacked tensors, into which each iteration writes. */
function emitLoop(
  emitter: StableHloEmitter,
  initial: readonly Value[],
  operation: Operation<'loop'>,
  shared: Shared,
): readonly Value[] {
  const { count, carried, stacked, proceeds } = operation.attributes;
  const stacks = stacked.map(({ shape, dtype }) => emitter.fill([count, ...shape], 0, dtype));
  // An iteration could not write into an empty stack.
  if (count === 0) return [...initial, ...stacks];
  const state = [emitter.scalar(0, 'int32'), ...initial, ...stacks];
  const inner = state.map((value): Value => ({ ...value, name: emitter.fresh() }));
  const iteration = inner[0]!;
  const types = state.map(typeOf).join(', ');

  const condition = new StableHloEmitter(emitter);
  const isWithin = condition.compare('LT', iteration, condition.scalar(count, 'int32'));
  const continues = proceeds === undefined ? isWithin : condition.binary('and', isWithin, inner[1 + proceeds]!);

  const body = new StableHloEmitter(emitter);
  const { arguments_, operations, results } = loopBody(operation);
  for (const [i, tensor] of arguments_.entries()) define(body, tensor, inner[i]!, shared);
  emitOperations(body, operations, shared);
  const next = results.map((tensor, i) => {
    const value = body.valueOf(tensor);
    if (value.sizes.size > 0)
      throw new GraphError(
        `emitStableHlo: a loop must not carry or stack tensors with a dynamic axis, as ${operation.layer || 'one'} does.`,
      );
    if (i < carried.length) return value;
    return body.updateAlong(inner[1 + i]!, 0, body.reshape(value, [1, ...value.shape]), iteration);
  });
  const afterwards = [body.binary('add', iteration, body.scalar(1, 'int32')), ...next];

  const header = state.map(({ name }, i) => `${inner[i]!.name} = ${name}`).join(', ');
  const [, ...final] = emitter.values(
    [
      `stablehlo.while(${header}) : ${types}`,
      'cond {',
      ...indented(condition.lines, '  '),
      `  stablehlo.return ${continues.name} : ${typeOf(continues)}`,
      '} do {',
      ...indented(body.lines, '  '),
      `  stablehlo.return ${afterwards.map(({ name }) => name).join(', ')} : ${types}`,
      '}',
    ],
    state,
  );
  return final;
}
