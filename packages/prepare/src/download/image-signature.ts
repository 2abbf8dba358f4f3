const signatures: readonly (readonly [format: string, offset: number, bytes: string])[] = [
  ['JPEG', 0, '\xff\xd8\xff'],
  ['PNG', 0, '\x89PNG\r\n\x1a\n'],
  ['WebP', 8, 'WEBP'],
  ['GIF', 0, 'GIF8'],
  ['AVIF', 4, 'ftypavif'],
  ['AVIF', 4, 'ftypavis'],
  ['TIFF', 0, 'II*\0'],
  ['TIFF', 0, 'MM\0*'],
];

/** Number of bytes that {@link imageFormat} needs. */
export const signatureBytes = 12;

/**
 * Recognizes the format of an image by its first bytes, whatever the server calls it. `undefined` for what is no photo: web pages, videos,
 * and also SVG, which is a program more than an image.
 */
export function imageFormat(bytes: Uint8Array): string | undefined {
  const start = String.fromCharCode(...bytes.subarray(0, signatureBytes));
  return signatures.find(([, offset, text]) => start.startsWith(text, offset))?.[0];
}

/** Describes what a response is instead of an image. */
export function describeContent(bytes: Uint8Array, contentType: string | undefined): string {
  const start = new TextDecoder().decode(bytes.subarray(0, 256)).trimStart();
  const type = contentType === undefined ? 'no content type' : `the content type ${contentType.slice(0, 60)}`;
  if (bytes.length === 0) return `empty, with ${type}`;
  return /^<(!doctype html|html|\?xml|svg)/i.test(start)
    ? `a web page or SVG, with ${type}`
    : `not an image, with ${type}`;
}
