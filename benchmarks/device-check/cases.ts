/** The graphs of the operator check. */
import type { Graph, TensorValues } from '@dalle-mini/graph';
import { caseGraph, gradientGraph, isDifferentiable, layerCases, operatorCases } from '@dalle-mini/testing/graph-cases';
import { gradientRules } from '../../packages/graph/src/training/gradient.js';

export interface NamedGraph {
  readonly name: string;
  readonly graph: Graph;
  readonly feeds: TensorValues;
}

/** The bytes of each case's outputs, in base64. */
export type References = Record<string, Readonly<Record<string, string>>>;

/** Yields all operators and layers, then all gradients. */
export function* everyCase(): Generator<NamedGraph> {
  const groups = [...operatorCases, ['layers', layerCases] as const];
  for (const [group, list] of groups)
    for (const [i, one] of list.entries()) yield { name: `${group} ${i}: ${one.name}`, ...caseGraph(one) };
  for (const [group, list] of groups) {
    if (group !== 'layers' && !(group in gradientRules)) continue;
    for (const [i, one] of list.entries())
      if (isDifferentiable(one)) yield { name: `gradient of ${group} ${i}: ${one.name}`, ...gradientGraph(one) };
  }
}
