import { describe, expect, test } from 'vitest';
import { fromFragment, type Request, toFragment } from '../src/request.js';

const defaults: Request = {
  prompt: '',
  negativePrompt: '',
  seed: 1,
  n: 9,
  temperature: 0.4,
  topK: 64,
  topP: 1,
  guidanceScale: 2,
};

describe('the fragment of a link', () => {
  test.each([
    ['plain words', { ...defaults, prompt: 'a red apple', seed: 7 }, undefined],
    ['letters that addresses escape', { ...defaults, prompt: 'crème & #1 = 🍎 + “50 %”', negativePrompt: '?' }, 3],
    ['numbers with fractions', { ...defaults, prompt: 'a', temperature: 0, topP: 0.35, seed: 2 ** 53 - 1, n: 4 }, 0],
  ])('leads back to the request: %s', (_, request, index) => {
    expect(fromFragment(toFragment(request, index), { ...defaults, seed: 5 })).toEqual({ request, index });
  });

  test('takes what it does not name from the defaults', () => {
    expect(fromFragment('#prompt=a+cat&seed=', defaults)?.request).toEqual({ ...defaults, prompt: 'a cat' });
    expect(fromFragment('#prompt=a+cat&seed=x&n=NaN', defaults)?.request).toEqual({ ...defaults, prompt: 'a cat' });
  });

  test('asks for nothing without a prompt', () => {
    expect(fromFragment('', defaults)).toBeUndefined();
    expect(fromFragment('#seed=7', defaults)).toBeUndefined();
  });
});
