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
import { onnxPasses } from './passes/index.js';
import type { Pass } from './passes/pass.js';
import * as proto from './proto.js';

/** ONNX's standard operators as of version 1.16; ONNX Runtime's own. */
const operatorSets = { '': 20, [proto.microsoft]: 1 };
const irVersion = 10;

/** Where a model's parameters stand. */
export type ParameterPlacement =
  /** They are inputs of the model, given at each run: for training. */
  | { readonly kind: 'inputs' }
  /** They belong to the model: values are in it, up to 2 GB in all, and places in files beside it. */
  | { readonly kind: 'initializers'; readonly values: ReadonlyMap<string, StoredParameter> };

export interface EmitOptions {
  /** Whether operations are written so that ONNX Runtime computes them fastest, or else each as plainly as ONNX can. Default true. */
  readonly optimize?: boolean | undefined;
}

/** Where the code that emits is: in one file, since the modules of a package are bundled. */
export const emittedBy = import.meta.url;

/**
 * Emits a graph as an ONNX model. Inputs and parameters have their own names, outputs those of `outputName`.
 *
 * @throws GraphError if a parameter's value is missing or of another shape, if two names collide, or if the model would be over 2 GB with its parameters inside.
 */
export function emitOnnx(
  graph: Graph,
  parameters: ParameterPlacement = { kind: 'inputs' },
  { optimize = true }: EmitOptions = {},
): Uint8Array {
  const passes = optimize ? onnxPasses : [];
  const emitter = new OnnxEmitter();
  const inputs: Uint8Array[] = [];
  for (const [name, tensor] of Object.entries(graph.inputs)) {
    if (!isOperation(tensor.operation, 'input'))
      throw new GraphError(`emitOnnx: ${name} is no input, but the result of ${tensor.operation.name}`);
    emitter.define(tensor, name);
    inputs.push(proto.valueInfo(name, proto.dataTypes[tensor.dtype], tensor.shape, tensor.dynamic));
  }
  const declared = parametersOf(Object.values(graph.outputs));
  if (parameters.kind === 'initializers') checkParameters(declared, parameters.values);
  let quantizable: ReadonlySet<string> | undefined;
  for (const [name, tensor] of declared) {
    const type = proto.dataTypes[tensor.dtype];
    if (name in graph.inputs) throw new GraphError(`emitOnnx: ${name} names both an input and a parameter`);
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
        `emitOnnx: the graph must only multiply with ${name} as [out, in], for it is stored as ${value.kind}. Store it as rows.`,
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
      `emitOnnx: the model would hold ${length} bytes of values, and ONNX allows ${proto.largestMessage}: place its parameters in external files`,
    );
  }
  const parts = { name: 'graph', nodes: emitter.nodes, initializers: emitter.initializers, inputs, outputs };
  return proto.join(proto.model(proto.graph(parts), operatorSets, irVersion));
}

/** Writes operations, in this order, for the sake of their results. */
function emitOperations(
  emitter: OnnxEmitter,
  operations: readonly Operation[],
  results: readonly Tensor[],
  passes: readonly Pass[],
): void {
  // Of several rewrites of one operation the first pass's is set last.
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
      `emitOnnx: input ${(operation.attributes as { name?: string }).name} is not among the graph's inputs`,
    );
  const names = operation.inputs.map((tensor) => emitter.nameOf(tensor));
  return lowering(emitter, names, operation as never);
}

function emitLoop(emitter: OnnxEmitter, operation: Operation<'loop'>, passes: readonly Pass[]): string[] {
  const { count, iteration, carried } = operation.attributes;
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
  // What a node of the body made is an output by its own name; all else, and what is an output twice, needs a node.
  const own = new Set(body.made);
  const results = tensors.map((tensor, i) => {
    const made = body.nameOf(tensor);
    if (own.delete(made)) return made;
    const name = emitter.fresh(`result.${i}`);
    body.result(name, tensor);
    return name;
  });
  const proceedAgain = body.node('Identity', [proceed]);
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
  const always = emitter.constant('bool', [], Uint8Array.of(1));
  const initial = operation.inputs.slice(0, carried.length).map((tensor) => emitter.nameOf(tensor));
  return emitter.nodeOf(operation.outputs.length, 'Loop', [trips, always, ...initial], {
    body: { graph: proto.join(chunks) },
  });
}
