import { GraphError } from '../graph-error.js';
import { isOperation } from '../operation.js';
import { loopBody } from '../operators.js';
import { checkParameters } from '../stored/check-parameters.js';
import { quantizableParameters } from '../stored/quantizable-parameters.js';
import { kindOf, type StoredParameter } from '../stored/stored-parameter.js';
import type { Graph, Operation, Tensor } from '../tensor.js';
import { parametersOf, topologicalOrder } from '../traversal.js';
import { OnnxEmitter } from './emitter.js';
import { lowerings } from './lowerings.js';
import { outputName } from './output-name.js';
import { onnxPasses, passesForWebGpu } from './passes/index.js';
import type { Pass } from './passes/pass.js';
import * as proto from './proto.js';

/** The standard operators of ONNX 1.16, and those of ONNX Runtime. */
const operatorSets = { '': 20, [proto.microsoft]: 1 };
const irVersion = 10;

/** Where the parameters of a model are stored. */
export type ParameterPlacement =
  /** The parameters are inputs of the model, for training. */
  | { readonly kind: 'inputs' }
  /** The parameters are initializers. Values in memory become part of the model, up to 2 GB; values in files stay in files next to it. */
  | { readonly kind: 'initializers'; readonly values: ReadonlyMap<string, StoredParameter> };

export interface EmitOptions {
  /** Whether to optimize the operations for ONNX Runtime. If false, each operation has its simplest ONNX form. Default true. */
  readonly optimize?: boolean | undefined;
  /** The execution provider of ONNX Runtime that the operations are optimized for. Default `cpu`. */
  readonly provider?: 'cpu' | 'webgpu' | undefined;
}

/**
 * Emits a graph as an ONNX model. Inputs and parameters have their own names, outputs those of `outputName`.
 *
 * @throws GraphError if a parameter's value is missing or has another shape, if two names collide, or if the model would have more than
 *   2 GB with its parameters.
 */
export function emitOnnx(
  graph: Graph,
  parameters: ParameterPlacement = { kind: 'inputs' },
  { optimize = true, provider = 'cpu' }: EmitOptions = {},
): Uint8Array {
  const passes = !optimize ? [] : provider === 'webgpu' ? passesForWebGpu : onnxPasses;
  const emitter = new OnnxEmitter();
  const inputs: Uint8Array[] = [];
  for (const [name, tensor] of Object.entries(graph.inputs)) {
    if (!isOperation(tensor.operation, 'input'))
      throw new GraphError(`emitOnnx: ${name} must be an input, not the result of ${tensor.operation.name}.`);
    emitter.define(tensor, name);
    inputs.push(proto.valueInfo(name, proto.dataTypes[tensor.dtype], tensor.shape, tensor.dynamic));
  }
  const declared = parametersOf(Object.values(graph.outputs));
  if (parameters.kind === 'initializers') checkParameters(declared, parameters.values);
  let quantizable: ReadonlySet<string> | undefined;
  for (const [name, tensor] of declared) {
    const type = proto.dataTypes[tensor.dtype];
    if (name in graph.inputs)
      throw new GraphError(`emitOnnx: an input and a parameter are both named ${name}. Rename the input.`);
    emitter.define(tensor, name);
    if (parameters.kind === 'inputs') {
      inputs.push(proto.valueInfo(name, type, tensor.shape));
      continue;
    }
    const value = parameters.values.get(name)!;
    const emitted = kindOf(value).emit(emitter, name, value);
    if (typeof emitted === 'string') {
      emitter.parameter(tensor, emitted);
      continue;
    }
    quantizable ??= quantizableParameters(graph);
    if (!quantizable.has(name))
      throw new GraphError(
        `emitOnnx: ${name} is stored as ${value.kind}, so it must be used only as the [out, in] operand of matmul. Store it as rows.`,
      );
    emitter.packed(tensor, emitted);
  }
  const results = Object.values(graph.outputs);
  emitOperations(emitter, topologicalOrder(results), results, passes);
  const outputs = Object.entries(graph.outputs).map(([name, tensor]) => {
    const output = outputName(graph, declared, name);
    emitter.result(output, tensor);
    return proto.valueInfo(output, proto.dataTypes[tensor.dtype], tensor.shape, tensor.dynamic);
  });
  const length = emitter.initializers.reduce((sum, chunks) => sum + proto.lengthOf(chunks), 0);
  if (length > proto.largestMessage) {
    throw new GraphError(
      `emitOnnx: the values in the model must have at most ${proto.largestMessage} bytes, not ${length}. Store its parameters in external files.`,
    );
  }
  const parts = { name: 'graph', nodes: emitter.nodes, initializers: emitter.initializers, inputs, outputs };
  return proto.join(proto.model(proto.graph(parts), operatorSets, irVersion));
}

/** Emits operations in the given order. */
function emitOperations(
  emitter: OnnxEmitter,
  operations: readonly Operation[],
  results: readonly Tensor[],
  passes: readonly Pass[],
): void {
  // Set the first pass's rewrites last, so that they override those of later passes.
  const rewrites = new Map(passes.toReversed().flatMap((pass) => [...pass(operations, results, emitter)]));
  for (const operation of operations) {
    const rewrite = rewrites.get(operation);
    const isNamed = operation.outputs.every((tensor) => emitter.isDefined(tensor));
    if (isNamed || rewrite === 'included' || isOperation(operation, 'constant')) continue;
    const written = rewrite
      ? rewrite(emitter)
      : isOperation(operation, 'loop')
        ? emitLoop(emitter, operation, passes)
        : lower(emitter, operation);
    const names = typeof written === 'string' ? [written] : written;
    for (const [i, tensor] of operation.outputs.entries()) {
      const name = names[i];
      if (name !== undefined) emitter.define(tensor, name);
    }
  }
}

function lower(emitter: OnnxEmitter, operation: Operation): string | readonly string[] {
  const lowering = lowerings[operation.name] as (typeof lowerings)['add'] | undefined;
  if (!lowering)
    throw new GraphError(
      `emitOnnx: input ${(operation.attributes as { name?: string }).name} must be among the graph's inputs.`,
    );
  const names = operation.inputs.map((tensor) => emitter.nameOf(tensor));
  return lowering(emitter, names, operation as never);
}

function emitLoop(emitter: OnnxEmitter, operation: Operation<'loop'>, passes: readonly Pass[]): string[] {
  const { count, iteration, carried, proceeds } = operation.attributes;
  const body = new OnnxEmitter(emitter);
  const counter = emitter.fresh('iteration');
  const proceed = emitter.fresh('condition');
  const carriedNames = carried.map((tensor, i) => {
    const name = emitter.fresh(`carried.${i}`);
    emitter.define(tensor, name);
    return name;
  });
  emitter.define(iteration, body.node('Cast', [counter], { to: proto.dataTypes.int32 }));
  const { operations, results: tensors } = loopBody(operation);
  emitOperations(body, operations, tensors, passes);
  // The output of a node of the body can be a result under its own name. Any other tensor, or a second use, needs an Identity node.
  const own = new Set(body.made);
  const results = tensors.map((tensor, i) => {
    const made = body.nameOf(tensor);
    if (own.delete(made)) return made;
    const name = emitter.fresh(`result.${i}`);
    body.result(name, tensor);
    return name;
  });
  const proceedAgain = body.node('Identity', [proceeds === undefined ? proceed : results[proceeds]!]);
  const info = (name: string, tensor: Tensor) => proto.valueInfo(name, proto.dataTypes[tensor.dtype], tensor.shape);
  const chunks = proto.graph({
    name: 'body',
    nodes: body.nodes,
    initializers: [],
    inputs: [
      proto.valueInfo(counter, proto.dataTypes.int64, []),
      proto.valueInfo(proceed, proto.dataTypes.bool, []),
      ...carried.map((tensor, i) => info(carriedNames[i]!, tensor)),
    ],
    outputs: [
      proto.valueInfo(proceedAgain, proto.dataTypes.bool, []),
      ...tensors.map((tensor, i) => info(results[i]!, tensor)),
    ],
  });
  const trips = emitter.constant('int64', [], BigInt64Array.of(BigInt(count)));
  const initial = operation.inputs.slice(0, carried.length).map((tensor) => emitter.nameOf(tensor));
  const first = proceeds === undefined ? emitter.constant('bool', [], Uint8Array.of(1)) : initial[proceeds]!;
  return emitter.nodeOf(operation.outputs.length, 'Loop', [trips, first, ...initial], {
    body: { graph: proto.join(chunks) },
  });
}
