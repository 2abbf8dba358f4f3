import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { flipHorizontally } from '../src/flip.js';
import { mayFlip, preprocessImage } from '../src/preprocess.js';
import { pixelAt, twoColoredPng } from './pictures.js';

const red = [255, 0, 0] as const;
const blue = [0, 0, 255] as const;

describe('preprocessImage', () => {
  test('scales the shorter side to fit and keeps the middle', async () => {
    const png = await twoColoredPng(80, 20, red, blue);
    const image = await preprocessImage(png, 'wide.png', { imageSize: 10 });
    expect([image.width, image.height, image.data.length]).toEqual([10, 10, 300]);
    expect(pixelAt(image, 0, 5)).toEqual(red);
    expect(pixelAt(image, 9, 5)).toEqual(blue);
  });

  test('puts transparent pixels on white', async () => {
    const png = await sharp({
      create: { width: 8, height: 8, channels: 4, background: { r: 0, g: 0, b: 0, alpha: 0 } },
    })
      .png()
      .toBuffer();
    expect(pixelAt(await preprocessImage(png, 'clear.png', { imageSize: 4 }), 2, 2)).toEqual([255, 255, 255]);
  });

  test('rotates photographs by their EXIF orientation', async () => {
    const left = await sharp(await twoColoredPng(40, 40, red, blue))
      .withMetadata({ orientation: 6 })
      .jpeg({ quality: 100 })
      .toBuffer();
    // Orientation 6 means rotation by 90° clockwise: the left half comes to the top.
    const image = await preprocessImage(left, 'turned.jpg', { imageSize: 10 });
    expect(pixelAt(image, 5, 1)[0]).toBeGreaterThan(200);
    expect(pixelAt(image, 5, 8)[2]).toBeGreaterThan(200);
  });

  test('converts grey, palette and 16-bit images to three channels of eight bits', async () => {
    const grey = sharp(Buffer.alloc(16, 128), { raw: { width: 4, height: 4, channels: 1 } });
    const sixteen = sharp(await twoColoredPng(8, 8, red, red)).toColourspace('rgb16');
    const encoded = [
      await grey.png().toBuffer(),
      await sixteen.png().toBuffer(),
      await sharp(await twoColoredPng(8, 8, red, red))
        .gif()
        .toBuffer(),
    ];
    const pixels = await Promise.all(
      encoded.map(async (bytes) => pixelAt(await preprocessImage(bytes, 'any', { imageSize: 4 }), 1, 1)),
    );
    expect(pixels).toEqual([[128, 128, 128], red, red]);
  });

  test('refuses pixels that are floating-point numbers, whose range is not known', async () => {
    // Width, height, bits, no compression, black is zero, the offset, one channel, rows, bytes, and floats.
    const fields = [
      [256, 4],
      [257, 4],
      [258, 32],
      [259, 1],
      [262, 1],
      [273, 8],
      [277, 1],
      [278, 4],
      [279, 64],
      [339, 3],
    ];
    const directory = fields.flatMap(([tag, value]) => [tag! | (4 << 16), 1, value!]);
    const tiff = Buffer.concat([
      Buffer.from(Uint32Array.of(0x2a4949, 72).buffer),
      Buffer.from(new Float32Array(16).fill(0.5).buffer),
      Buffer.from(Uint16Array.of(fields.length).buffer),
      Buffer.from(Uint32Array.from([...directory, 0]).buffer),
    ]);
    await expect(preprocessImage(tiff, 'depth.tif', { imageSize: 4 })).rejects.toThrow(
      'Cannot decode the image depth.tif: its pixels have the type float, whose range is not known. Replace the file',
    );
  });

  test('crops at random on request, and at the same place for the same seed', async () => {
    const png = await twoColoredPng(90, 10, red, blue);
    const crop = async (seed: number) =>
      (await preprocessImage(png, 'x', { imageSize: 10, crop: 'random', seed })).data;
    const crops = await Promise.all(Array.from({ length: 20 }, (_, seed) => crop(seed)));
    const reds = crops.filter((data) => data[0] === 255).length;
    expect(reds).toBeGreaterThan(0);
    expect(reds).toBeLessThan(20);
    expect(await crop(7)).toEqual(crops[7]);
  });

  describe('without a crop', () => {
    const black = [0, 0, 0] as const;
    const white = [255, 255, 255] as const;

    test('keeps the whole image, in the middle of a white square', async () => {
      const image = await preprocessImage(await twoColoredPng(80, 20, red, blue), 'wide.png', {
        imageSize: 16,
        crop: 'none',
      });
      const column = Array.from({ length: 16 }, (_, y) => pixelAt(image, 3, y));
      expect(column).toEqual([...Array(6).fill(white), ...Array(4).fill(red), ...Array(6).fill(white)]);
      expect(pixelAt(image, 12, 8)).toEqual(blue);
      const line = await preprocessImage(await twoColoredPng(200, 1, red, red), 'line.png', {
        imageSize: 7,
        crop: 'none',
      });
      expect([line.width, line.height, pixelAt(line, 3, 3), pixelAt(line, 3, 2)]).toEqual([7, 7, red, white]);
      const grey = await sharp(Buffer.alloc(8), { raw: { width: 2, height: 4, channels: 1 } })
        .png()
        .toBuffer();
      const tall = await preprocessImage(grey, 'grey.png', { imageSize: 4, crop: 'none' });
      expect([0, 1, 2, 3].map((x) => pixelAt(tall, x, 0))).toEqual([white, black, black, white]);
    });

    test('pads images with a transparent part on request, and crops the others', async () => {
      const middle = async (alpha: number) => {
        const cut = {
          create: { width: 20, height: 10, channels: 4 as const, background: { r: 0, g: 0, b: 0, alpha } },
        };
        const edges = sharp(cut).extend({ left: 10, right: 10, background: { r: 255, g: 0, b: 0, alpha: 1 } });
        return preprocessImage(await edges.png().toBuffer(), 'x.png', { imageSize: 8, crop: 'auto' });
      };
      const [opaque, transparent] = [await middle(1), await middle(0)];
      expect([pixelAt(opaque, 0, 4), pixelAt(opaque, 0, 0)]).toEqual([black, black]);
      expect([pixelAt(transparent, 0, 4), pixelAt(transparent, 0, 0), pixelAt(transparent, 4, 4)]).toEqual([
        red,
        white,
        white,
      ]);
    });
  });

  test('flips half of the images, and none whose caption forbids it', async () => {
    const png = await twoColoredPng(10, 10, red, blue);
    const flipped = async (captions: string[]) => {
      const all = await Promise.all(
        Array.from({ length: 40 }, (_, seed) =>
          preprocessImage(png, 'x', { imageSize: 10, flip: true, seed }, captions),
        ),
      );
      return all.filter((image) => image.data[0] === 0).length;
    };
    expect(await flipped(['a red and blue square'])).toBeGreaterThan(5);
    expect(await flipped(['a square', 'red on the left'])).toBe(0);
  });

  test('names the image that it cannot decode, because it is truncated or not an image', async () => {
    await expect(preprocessImage(Buffer.from('hello'), 'notes.png', { imageSize: 8 })).rejects.toThrow(
      /Cannot decode the image notes\.png: .*Replace the file or remove it/,
    );
    const noise = Buffer.from(Array.from({ length: 64 * 64 * 3 }, (_, index) => (index * 7919) % 251));
    const jpeg = await sharp(noise, { raw: { width: 64, height: 64, channels: 3 } })
      .jpeg()
      .toBuffer();
    await expect(preprocessImage(jpeg.subarray(0, jpeg.length / 2), 'half.jpg', { imageSize: 8 })).rejects.toThrow(
      'half.jpg',
    );
  });

  test('refuses a size of 0', async () => {
    await expect(preprocessImage(Buffer.alloc(0), 'x', { imageSize: 0 })).rejects.toThrow(
      'imageSize must be a whole number from 1 to 8192, not 0.',
    );
  });
});

describe('mayFlip', () => {
  test.each(['a red apple', 'a cat on a chair', 'two children playing football', 'a bright rocket'])(
    'allows %s',
    (caption) => {
      expect(mayFlip(caption)).toBe(true);
    },
  );

  test.each([
    'a hand pointing to the left',
    'right arrow',
    'flag of Japan',
    'a stop sign',
    'a shirt with the word "love"',
    'SOON arrow',
    'an ATM',
    'a clock at three o’clock',
    'house number 5',
    'love letters',
  ])('forbids %s', (caption) => {
    expect(mayFlip(caption)).toBe(false);
  });
});

describe('flipHorizontally', () => {
  test('exchanges left and right, and gives back the image when applied twice', () => {
    const image = { width: 2, height: 1, data: Uint8Array.from([1, 2, 3, 4, 5, 6]) };
    expect([...flipHorizontally(image).data]).toEqual([4, 5, 6, 1, 2, 3]);
    expect(flipHorizontally(flipHorizontally(image))).toEqual(image);
  });
});
