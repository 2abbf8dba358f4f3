import type { Graph, TensorValues } from '@dalle-mini/graph';
import { caseGraph, gradientGraph, isDifferentiable, layerCases, operatorCases } from '@dalle-mini/testing/graph-cases';
import { gradientRules } from '../../src/training/gradient.js';

/** The graphs of all cases of operators and layers, and of their gradients. */
export function everyGraph(): { readonly name: string; readonly graph: Graph; readonly feeds: TensorValues }[] {
  return [...operatorCases, ['layers', layerCases] as const].flatMap(([operator, cases]) =>
    cases.flatMap((one, i) => {
      const name = `${operator} ${i}, ${one.name}`;
      const { graph, feeds } = caseGraph(one);
      const forward = { name, graph, feeds };
      const hasGradient = (operator === 'layers' || operator in gradientRules) && isDifferentiable(one);
      return hasGradient ? [forward, { ...gradientGraph(one), name: `gradient of ${name}` }] : [forward];
    }),
  );
}
