import { GraphError, input, neg, ParameterScope } from '@dalle-mini/graph';
import { appendedInputs, appendsInputs, checkBound, checkInputs, expectedInputs } from '@dalle-mini/graph/implementing';
import { float32 } from '@dalle-mini/testing/values';
import { expect, test } from 'vitest';

const rows = input('rows', [4, 3], 'float32', { dynamic: 0 });
const x = input('x', [2, 3]);
const w = new ParameterScope().parameter('w', [3], { kind: 'zeros', scale: 0 });
const graph = { inputs: { rows, x }, outputs: { rows: neg(x), y: neg(w) } };

test('a runtime expects the inputs, and the parameters that the graph is compiled without', () => {
  expect([...expectedInputs(graph, {}).keys()]).toEqual(['rows', 'x', 'w']);
  expect([...expectedInputs(graph, { parameters: new Map() }).keys()]).toEqual(['rows', 'x']);
});

test('a runtime refuses other inputs', () => {
  const expected = expectedInputs({ inputs: { x }, outputs: {} }, {});
  expect(() => checkInputs(expected, { x: float32([2, 3], [1, 2, 3, 4, 5, 6]) })).not.toThrow();
  expect(() => checkInputs(expected, {})).toThrow(GraphError);
});

test('a runtime appends to dynamic inputs with an output of the same name, which are not bound', () => {
  const appended = appendedInputs(graph);
  expect(appended).toEqual([{ name: 'rows', dtype: 'float32', shape: [4, 3], axis: 0 }]);
  const expected = expectedInputs(graph, { parameters: new Map() });
  expect([...checkBound(expected, appended, {}).keys()]).toEqual(['x']);
  expect(() => checkBound(expected, appended, { rows: float32([0, 3], []) })).toThrow('rows must be left out');
});

test('a runtime appends to no input whose output of the same name has another shape', () => {
  expect(appendsInputs(graph)).toBe(true);
  const other = { ...graph, outputs: { rows: neg(input('z', [2, 4])) } };
  expect(appendsInputs(other)).toBe(false);
  expect(() => appendedInputs(other)).toThrow('Output rows must be float32[4,3] like the input of the same name');
  expect(appendsInputs({ inputs: { x }, outputs: { y: neg(x) } })).toBe(false);
});
