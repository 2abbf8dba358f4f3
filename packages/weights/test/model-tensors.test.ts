import { CheckpointError, findModel } from '@dalle-mini/weights';
import { describe, expect, test } from 'vitest';

const parameters = ['encoder.conv.weight', 'encoder.conv.bias', 'decoder.norm.weight'];
const needed = parameters.map((name) => [name]);
const checkpoint = (...names: string[]) => new Map(names.map((name) => [name, name]));
const under = (prefix: string) => parameters.map((name) => prefix + name);
const found = (...names: string[]) => findModel(checkpoint(...names), needed);

describe('findModel', () => {
  test.each(['', 'module.', '_orig_mod.', 'model.', 'model.module._orig_mod.', 'any.name.', 'params/', 'a/b.'])(
    'finds a model under %j',
    (prefix) => {
      const { prefix: actual, tensors } = found(...under(prefix), 'other.weight', 'other2/weight');
      expect(actual).toBe(prefix);
      expect([...tensors].slice(0, 3)).toEqual(parameters.map((name) => [name, prefix + name]));
      if (prefix !== '') expect(tensors.size).toBe(3);
    },
  );

  test('keeps what the model may not know, under its prefix', () => {
    expect([...found(...under('module.'), 'module.encoder.gamma').tensors.keys()]).toEqual([
      ...parameters,
      'encoder.gamma',
    ]);
  });

  test('finds a model that lacks a parameter, and other names of a parameter', () => {
    expect(found(...under('module.').slice(1)).prefix).toBe('module.');
    const names = needed.map(([name]) => [`flax/${name}`, name!]);
    expect(findModel(checkpoint(...under('vqgan.')), names).prefix).toBe('vqgan.');
  });

  test('prefers the model to its average, and takes the average if there is nothing else', () => {
    expect(found(...under('model_ema.'), ...under('model.')).prefix).toBe('model.');
    expect(found(...under('ema_model.module.'), ...under('online_model.module.')).prefix).toBe('online_model.module.');
    expect(found(...under('ema.')).prefix).toBe('ema.');
    const { tensors } = found(
      ...under(''),
      ...under('model_ema.'),
      'model_ema.decay',
      'optimizer.state.0',
      'opt_state/0',
    );
    expect([...tensors.keys()]).toEqual(parameters);
  });

  test('refuses to choose between two models', () => {
    const read = () => found(...under('student.'), ...under('teacher.'));
    expect(read).toThrow(CheckpointError);
    expect(read).toThrow('has the model 2 times, under "student.", "teacher."');
  });

  test.each([
    ['GPTQ or AWQ', 'qweight'],
    ['bitsandbytes', 'SCB'],
    ['bitsandbytes', 'quant_state.bitsandbytes__nf4'],
    ['FP8', 'weight_scale_inv'],
  ])('names weights that are quantized by %s', (format, suffix) => {
    expect(() => found(...under('model.'), `model.encoder.conv.${suffix}`)).toThrow(
      new RegExp(`quantized by .*${format}.* \\("encoder\\.conv\\.`),
    );
  });

  test('takes a bounded time for many names', () => {
    const names = Array.from({ length: 50_000 }, (_, i) => `${'a.'.repeat(i % 20)}${i}.encoder.conv.weight`);
    const start = process.cpuUsage();
    expect(() => found(...names)).toThrow(CheckpointError);
    const { user } = process.cpuUsage(start);
    expect(user).toBeLessThan(3e6);
  });
});
