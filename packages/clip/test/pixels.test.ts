import { writeClipPixels } from '@dalle-mini/clip';
import { OptionError } from '@dalle-mini/core';
import { toFloat32 } from '@dalle-mini/weights';
import { describe, expect, test } from 'vitest';
import { resizeBicubic } from '../src/pixels.js';
import { images, pictures, relativeError } from './fixtures.js';

const size = 32;

describe('resizeBicubic', () => {
  test.each(pictures.map(({ input, output }) => [`${input.width}×${input.height}`, input, output] as const))(
    "gives Pillow's bytes for a picture of %s, scaled and cropped",
    (_, input, output) => {
      const shorter = Math.min(input.width, input.height);
      const [width, height] = [input.width, input.height].map((side) => Math.floor((size * side) / shorter)) as [
        number,
        number,
      ];
      const left = Math.floor((width - size) / 2);
      const top = Math.floor((height - size) / 2);
      const scaled = resizeBicubic(input, width, height, { left, top, width: size, height: size });
      expect([scaled.width, scaled.height]).toEqual([size, size]);
      expect([...scaled.data]).toEqual([...output.data]);
    },
  );

  test('computes a window as it computes the whole', () => {
    const { input } = pictures[2]!;
    const whole = resizeBicubic(input, 23, 41);
    const window = { left: 5, top: 7, width: 11, height: 30 };
    const part = resizeBicubic(input, 23, 41, window);
    const rows = Array.from({ length: 30 }, (_, y) => {
      const start = 3 * ((y + 7) * 23 + 5);
      return [...whole.data.subarray(start, start + 3 * 11)];
    });
    expect([...part.data]).toEqual(rows.flat());
  });

  test('leaves an image of the same size as it is', () => {
    const { input } = pictures[0]!;
    expect([...resizeBicubic(input, input.width, input.height).data]).toEqual([...input.data]);
  });
});

describe('writeClipPixels', () => {
  test('gives the values of CLIPImageProcessor, at their place', () => {
    const expected = toFloat32(images.get('2.pixels')!);
    const target = new Float32Array(expected.length + 8);
    writeClipPixels(pictures[2]!.input, size, target, 4);
    // The reference rounds to float32 between its steps.
    expect(relativeError(target.subarray(4, -4), expected)).toBeLessThan(1e-6);
    expect([...target.subarray(0, 4), ...target.subarray(-4)]).toEqual(Array(8).fill(0));
  });

  test('refuses an image without pixels or with four bytes per pixel', () => {
    const target = new Float32Array(3 * size * size);
    for (const image of [
      { width: 0, height: 4, data: new Uint8Array(0) },
      { width: 2, height: 2, data: new Uint8Array(16) },
    ])
      expect(() => writeClipPixels(image, size, target, 0)).toThrow(OptionError);
  });

  test('keeps the middle of an extremely wide image', () => {
    const width = 100_000;
    const data = new Uint8Array(3 * width).map((_, i) => (Math.floor(i / 3) === width / 2 ? 255 : 0));
    const target = new Float32Array(3 * size * size);
    writeClipPixels({ width, height: 1, data }, size, target, 0);
    expect(Math.max(...target)).toBeGreaterThan(1);
  });
});
