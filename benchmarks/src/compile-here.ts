/** Compiles one row of `compilations.ts` in a process of its own, and prints a JSON line. */
import { parseArgs } from 'node:util';
import { sizeOf } from '@dalle-mini/graph';
import { type CompiledGraph, XlaTopology } from '@dalle-mini/xla';
import { compilations, h100, prepare, targets } from './compilations.js';

/** The result of a row. */
export type CompilationResult =
  | (CompiledGraph & {
      readonly seconds: number;
      /** Elements of all parameters. */
      readonly parameters: number;
      readonly hosts: number;
    })
  /** The message of the plugin, if it refuses. */
  | { readonly error: string };

const { values } = parseArgs({ options: { row: { type: 'string' } } });
const row = compilations[Number(values.row)]!;
const { device, topology: name } = targets[row.target]!;

async function compile(): Promise<CompilationResult> {
  try {
    const topology = await XlaTopology.open({
      device,
      topology: name,
      ...(device === 'cuda' ? { targetConfig: h100 } : {}),
    });
    const { graph, options, parameters } = prepare(row);
    const start = performance.now();
    const compiled = await topology.compile(graph, options);
    return {
      ...compiled,
      seconds: (performance.now() - start) / 1000,
      parameters: [...parameters.values()].reduce((sum, { shape }) => sum + sizeOf(shape), 0),
      hosts: topology.hosts,
    };
  } catch (error) {
    return { error: (error as Error).message };
  }
}

console.log(JSON.stringify(await compile()));
// libtpu keeps threads that would keep the process alive.
process.exit();
