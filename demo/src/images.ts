/** Images as the page needs them: addresses for `<img>`, pixels for the model, files to download. */

function canvasOf(width: number, height: number) {
  const canvas = document.createElement('canvas');
  canvas.width = width;
  canvas.height = height;
  return { canvas, context: canvas.getContext('2d', { willReadFrequently: true })! };
}

/** Returns the address of an image of red, green and blue bytes by rows. */
export function urlOfPixels(image: { width: number; height: number; data: ArrayLike<number> }): string {
  const { width, height, data } = image;
  const { canvas, context } = canvasOf(width, height);
  const pixels = context.createImageData(width, height);
  for (let pixel = 0; pixel < width * height; pixel++) {
    for (let channel = 0; channel < 3; channel++) pixels.data[4 * pixel + channel] = data[3 * pixel + channel]!;
    pixels.data[4 * pixel + 3] = 255;
  }
  context.putImageData(pixels, 0, 0);
  return canvas.toDataURL();
}

async function loadImage(url: string): Promise<HTMLImageElement> {
  const image = new Image();
  image.src = url;
  await image.decode();
  return image;
}

/** Reads the middle of an image file as a square of `size` pixels, on white. */
export async function readSquare(file: Blob, size: number): Promise<ImageData> {
  const bitmap = await createImageBitmap(file).catch(() => {
    throw new Error(
      'The file must be a picture that the browser can show, such as a PNG, JPEG or WebP. Choose another.',
    );
  });
  const side = Math.min(bitmap.width, bitmap.height);
  const { context } = canvasOf(size, size);
  context.fillStyle = '#fff';
  context.fillRect(0, 0, size, size);
  context.imageSmoothingQuality = 'high';
  context.drawImage(bitmap, (bitmap.width - side) / 2, (bitmap.height - side) / 2, side, side, 0, 0, size, size);
  return context.getImageData(0, 0, size, size);
}

/** Draws images as one, in rows of `columns`, each at most `size` pixels wide. */
export async function urlOfSheet(urls: readonly string[], columns: number, size = Number.POSITIVE_INFINITY) {
  const images = await Promise.all(urls.map(loadImage));
  const side = Math.min(size, images[0]!.naturalWidth);
  const { canvas, context } = canvasOf(columns * side, Math.ceil(images.length / columns) * side);
  for (const [i, image] of images.entries())
    context.drawImage(image, (i % columns) * side, Math.floor(i / columns) * side, side, side);
  return canvas.toDataURL();
}

/** Saves what is at an address as a file. */
export function download(url: string, name: string): void {
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
}

/** Turns a prompt into the name of a file. */
export function fileName(prompt: string, seed: number, index?: number): string {
  const words = prompt
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, '-')
    .replace(/^-|-$/g, '')
    .slice(0, 60);
  return `${words || 'picture'}-${seed}${index === undefined ? '' : `-${index + 1}`}.png`;
}
