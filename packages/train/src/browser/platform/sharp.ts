/** What sheets of images use of sharp: an encoder of PNG. */
import type { RgbImage } from '@dalle-mini/core';
import { encodeImage } from '@dalle-mini/pipeline/browser';

export default (data: RgbImage['data'], { raw: { width, height } }: { raw: { width: number; height: number } }) => ({
  png: () => ({ toBuffer: () => encodeImage({ width, height, data }, { format: 'png' }) }),
});
