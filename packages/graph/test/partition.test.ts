import { gelu, matmul, mean, type Shape } from '@dalle-mini/graph';
import { normal, zeros } from '@dalle-mini/graph/initializers';
import {
  blockOf,
  type DeviceMesh,
  emitStableHlo,
  type ParameterSharding,
  partition,
} from '@dalle-mini/graph/stablehlo';
import { adafactor, adamW, type Optimizer, trainingGraph } from '@dalle-mini/graph/training';
import { describe, expect, test } from 'vitest';
import { checkStableHlo } from './stablehlo-text.js';

/** A training graph of a large matrix, of one whose first axis is odd, and of a small one. */
function trainingOf(optimizer: Optimizer, rateFactor?: (name: string) => number) {
  return trainingGraph({
    batch: { x: { shape: [8, 257], dtype: 'float32' } },
    loss: (scope, { x }) => {
      const hidden = matmul(x!, scope.parameter('in.weight', [257, 256], normal(0.02)));
      const out = matmul(hidden, scope.parameter('out.weight', [256, 512], normal(0.02)));
      const small = matmul(gelu(out), scope.parameter('small.weight', [512, 4], zeros));
      return { loss: mean(small) };
    },
    optimizer,
    stepsPerRun: 2,
    averageDecay: 0.9,
    rateFactor,
  });
}

const [data, model] = [['data'], ['model']];

function divided(sharding: ParameterSharding, optimizer = adamW(), mesh = { data: 4, model: 2 }) {
  const { graph, roles } = trainingOf(optimizer);
  const { sharding: shardingOf } = partition(graph, roles, mesh, sharding);
  const shapeOf = (name: string): Shape => (graph.inputs[name] ?? graph.outputs[name])!.shape;
  return (name: string, kind: 'input' | 'output' = 'input') => shardingOf(name, shapeOf(name), kind);
}

describe('a training graph on a mesh', () => {
  test('has its batches divided by samples, and metrics and settings whole', () => {
    const of = divided('replicated');
    expect(of('x')).toEqual([[], [], data, []]);
    expect(of('learningRate')).toBeUndefined();
    expect(of('loss', 'output')).toBeUndefined();
  });

  test('has whole parameters by default', () => {
    const of = divided('replicated');
    for (const name of ['out.weight', 'optimizer/mean/out.weight', 'average/small.weight'])
      expect(of(name)).toEqual([[], []]);
  });

  test('has large parameters divided along the largest axis that can be, with fsdp', () => {
    const of = divided('fsdp');
    expect(of('in.weight')).toEqual([[], data]);
    expect(of('out.weight')).toEqual([[], data]);
    expect(of('small.weight')).toEqual([[], []]);
  });

  test('has the state of a parameter where the parameter is, before and after a run', () => {
    const of = divided('fsdp');
    for (const name of ['in.weight', 'optimizer/square/in.weight', 'average/in.weight'])
      for (const kind of ['input', 'output'] as const) expect(of(name, kind)).toEqual([[], data]);
  });

  test('has factored moments whole along the axis that they lack', () => {
    const of = divided('fsdp', adafactor());
    // The parameter [256, 512] is divided along its columns.
    expect(of('optimizer/row/out.weight')).toEqual([[], []]);
    expect(of('optimizer/column/out.weight')).toEqual([[], data]);
  });

  test('has parameters divided by the first rule that matches', () => {
    const of = divided([
      { match: ['in.*', 'small.*'], axes: ['model', null] },
      { match: '*.weight', axes: ['data', 'model'] },
    ]);
    expect(of('out.weight')).toEqual([data, model]);
    // Small ones stay whole.
    expect(of('small.weight')).toEqual([[], []]);
    // 257 is not a multiple of 2.
    expect(of('in.weight')).toEqual([[], []]);
  });

  test('refuses a rule with another number of axes', () => {
    const of = divided([{ match: 'out.*', axes: ['model'] }]);
    expect(() => of('out.weight')).toThrow(
      'The partition rule of out.weight must have 2 axes, as its shape [256,512] has, not 1.',
    );
  });

  test('has nothing divided on one device', () => {
    expect(divided('fsdp', adamW(), { data: 1, model: 1 })('out.weight')).toBeUndefined();
  });

  test('has frozen parameters divided as trained ones', () => {
    const { graph, roles } = trainingOf(adamW(), (name) => (name === 'out.weight' ? 0 : 1));
    const { sharding } = partition(graph, roles, { data: 4 }, 'fsdp');
    expect(sharding('out.weight', [256, 512], 'parameter')).toEqual([[], data]);
  });

  test('is emitted with these divisions', () => {
    const { graph, roles } = trainingOf(adamW());
    const { text } = emitStableHlo(graph, partition(graph, roles, { data: 4 }, 'fsdp'));
    checkStableHlo(text);
    expect(text).toContain('sdy.mesh @mesh = <["data"=4, "model"=1]>');
    expect(text).toContain('tensor<2x1x8x257xf32> {sdy.sharding = #sdy.sharding<@mesh, [{}, {}, {"data"}, {}]>}');
    expect(text).toContain('tensor<256x512xf32> {sdy.sharding = #sdy.sharding<@mesh, [{}, {"data"}]>}');
  });

  const linesOf = (sharding: ParameterSharding, mesh: DeviceMesh) => {
    const { graph, roles } = trainingOf(adamW());
    const { text } = emitStableHlo(graph, partition(graph, roles, mesh, sharding));
    checkStableHlo(text);
    return text.split('\n').map((line) => line.trim());
  };
  const constraints = (lines: readonly string[], sharding: string, type: string) =>
    lines.filter((line) => line.includes(`sharding_constraint`) && line.endsWith(`<@mesh, ${sharding}> : ${type}`))
      .length;

  test('collects a divided parameter anew for each product with fsdp, and divides its gradient', () => {
    const lines = linesOf('fsdp', { data: 4 });
    const type = 'tensor<256x512xf32>';
    // The forward and the backward pass use it once each.
    expect(constraints(lines, '[{}, {}]', type)).toBe(2);
    expect(lines.filter((line) => line.includes(`optimization_barrier`) && line.includes(`: ${type}`))).toHaveLength(2);
    // The value that the loop carries, and the gradient.
    expect(constraints(lines, '[{}, {"data"}]', type)).toBe(2);
  });

  test('has activations as wide as the parts of the weights that make them', () => {
    const rules = [{ match: 'out.*', axes: [null, 'model'] }] as const;
    const lines = linesOf(rules, { data: 2, model: 2 });
    // The product and its activation, forward.
    expect(constraints(lines, '[{?}, {"model"}]', 'tensor<8x512xf32>')).toBeGreaterThanOrEqual(2);
    expect(constraints(lines, '[{?}, {}]', 'tensor<8x256xf32>')).toBeGreaterThanOrEqual(1);
    expect(lines.join()).not.toContain('optimization_barrier');
  });

  test('has no constraints if parameters are replicated', () => {
    expect(linesOf('replicated', { data: 2, model: 2 }).join()).not.toContain('sharding_constraint');
  });
});

test.each([
  [0, [0, 0]],
  [1, [0, 3]],
  [2, [2, 0]],
  [5, [4, 3]],
])('device %i has the part of a tensor that begins at %j', (device, starts) => {
  const mesh = { data: 3, model: 2 };
  expect(blockOf([6, 6], [['data'], ['model']], mesh, device)).toEqual({ starts, shape: [2, 3] });
});

test('an axis that two axes of the mesh divide has its parts in the order of the outer one', () => {
  const starts = Array.from(
    { length: 4 },
    (_, device) => blockOf([8], [['model', 'data']], { data: 2, model: 2 }, device).starts,
  );
  expect(starts).toEqual([[0], [4], [2], [6]]);
});
