import { describe, isOperation } from './operation.js';
import type { Graph, Operation, Tensor } from './tensor.js';
import { topologicalOrder } from './traversal.js';

/** Returns a graph as text, one operation per line, to read or to compare with another graph. */
export function printGraph(graph: Graph): string {
  const names = new Map<Tensor, string>();
  const lines: string[] = [];
  const print = (outputs: Iterable<Tensor>, indent: string) => {
    for (const node of topologicalOrder(outputs)) {
      if (node.outputs.length > 0 && names.has(node.outputs[0]!)) continue;
      for (const output of node.outputs) names.set(output, `%${names.size}`);
      const left = node.outputs.map((output) => `${names.get(output)}: ${describe(output)}`).join(', ');
      const inputs = node.inputs.map((tensor) => names.get(tensor)).join(', ');
      const attributes = isOperation(node, 'loop') ? ` count=${node.attributes.count}` : attributesText(node);
      lines.push(`${indent}${left} = ${node.name}(${inputs})${attributes}${node.layer ? `  # ${node.layer}` : ''}`);
      if (isOperation(node, 'loop')) print([...node.attributes.next, ...node.attributes.stacked], `${indent}  `);
    }
  };
  print(Object.values(graph.outputs), '');
  const results = Object.entries(graph.outputs).map(([name, tensor]) => `${name}=${names.get(tensor)}`);
  return `${lines.join('\n')}\nreturn ${results.join(', ')}\n`;
}

function attributesText(node: Operation): string {
  const entries = Object.entries(node.attributes).filter(([key]) => key !== 'value' && key !== 'initializer');
  return entries.map(([key, value]) => ` ${key}=${JSON.stringify(value)}`).join('');
}
