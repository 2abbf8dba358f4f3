import type { RgbImage } from '@dalle-mini/core';

/** Pixels brighter than this in every channel are the white background. */
const whiteLevel = 240;
/** Smallest share of the picture that is not background, and smallest share of that in the dominant color. */
const leastForeground = 0.05;
/** Black needs a larger share, because outlines are black. */
const leastBlackShare = 0.75;

/**
 * Returns the word for the dominant color of a picture on white, or `undefined` if no color dominates.
 * Words: red, orange, yellow, green, blue, purple, pink, brown, black. Never grey, because white things are shaded with
 * it.
 *
 * @param leastShare The share of the pixels that are not white which a color needs to dominate, 0 to 1. Black needs at least 0.75.
 *
 * @example
 * ```ts
 * import { dominantColor } from '@dalle-mini/data/emoji';
 *
 * console.log(dominantColor({ width: 1, height: 1, data: Uint8Array.of(200, 30, 30) })); // red
 * ```
 */
export function dominantColor({ width, height, data }: RgbImage, leastShare = 0.6): string | undefined {
  const counts = new Map<string, number>();
  let foreground = 0;
  for (let pixel = 0; pixel < data.length; pixel += 3) {
    const [red, green, blue] = [data[pixel]!, data[pixel + 1]!, data[pixel + 2]!];
    if (Math.min(red, green, blue) > whiteLevel) continue;
    foreground++;
    const name = colorName(red, green, blue);
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  if (foreground < leastForeground * width * height) return undefined;
  const [name, count] = [...counts].reduce((most, entry) => (entry[1] > most[1] ? entry : most));
  const share = name === 'black' ? Math.max(leastBlackShare, leastShare) : leastShare;
  return name !== 'grey' && count >= share * foreground ? name : undefined;
}

/** Names the color of 8-bit channels by hue, saturation and value. */
function colorName(red: number, green: number, blue: number): string {
  const value = Math.max(red, green, blue);
  const chroma = value - Math.min(red, green, blue);
  const saturation = value === 0 ? 0 : chroma / value;
  if (value < 64) return 'black';
  if (value < 110 && saturation < 0.4) return 'black';
  if (saturation < 0.16) return 'grey';
  let hue: number;
  if (value === red) hue = (((green - blue) / chroma) * 60 + 360) % 360;
  else if (value === green) hue = ((blue - red) / chroma) * 60 + 120;
  else hue = ((red - green) / chroma) * 60 + 240;
  if (hue < 14 || hue >= 340) {
    if (value > 200 && saturation < 0.55) return 'pink';
    return value < 140 ? 'brown' : 'red';
  }
  if (hue < 42) return value < 205 || saturation < 0.4 ? 'brown' : 'orange';
  if (hue < 66) return value < 150 ? 'brown' : 'yellow';
  if (hue < 165) return 'green';
  if (hue < 250) return saturation < 0.3 ? 'grey' : 'blue';
  if (hue < 295) return 'purple';
  return 'pink';
}
