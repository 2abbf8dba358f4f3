/** Endings of images that can be decoded, in lower case. */
export const imageEndings: ReadonlySet<string> = new Set([
  '.jpg',
  '.jpeg',
  '.jpe',
  '.jfif',
  '.png',
  '.webp',
  '.avif',
  '.gif',
  '.tif',
  '.tiff',
  '.svg',
  '.bmp',
  '.dib',
]);

/** Endings of images that cannot be decoded here, in lower case, with the name of the format. */
export const unsupportedEndings: ReadonlyMap<string, string> = new Map([
  ['.heic', 'HEIC'],
  ['.heif', 'HEIF'],
  ['.hif', 'HEIF'],
  ['.ico', 'ICO'],
  ['.jxl', 'JPEG XL'],
  ['.jp2', 'JPEG 2000'],
  ['.j2k', 'JPEG 2000'],
  ['.jpx', 'JPEG 2000'],
  ['.jxr', 'JPEG XR'],
  ['.psd', 'Photoshop'],
  ['.tga', 'TGA'],
  ['.ppm', 'PPM'],
  ['.pgm', 'PGM'],
  ['.pnm', 'PNM'],
  ['.pcx', 'PCX'],
  ['.exr', 'OpenEXR'],
  ['.hdr', 'Radiance'],
  ['.dds', 'DDS'],
  ['.eps', 'EPS'],
  ['.svgz', 'compressed SVG'],
  ['.dng', 'raw'],
  ['.cr2', 'raw'],
  ['.cr3', 'raw'],
  ['.nef', 'raw'],
  ['.arw', 'raw'],
  ['.orf', 'raw'],
  ['.rw2', 'raw'],
  ['.raf', 'raw'],
]);

/** Returns whether a file is an image by its ending, and whether it can be decoded. */
export function imageKind(ending: string): 'supported' | 'unsupported' | undefined {
  const lower = ending.toLowerCase();
  return imageEndings.has(lower) ? 'supported' : unsupportedEndings.has(lower) ? 'unsupported' : undefined;
}

/** What to do about an image that cannot be decoded. */
export const convertAction = 'Convert it to PNG or JPEG, or remove it.';

const ascii = (bytes: Uint8Array, start: number, end: number) => String.fromCharCode(...bytes.subarray(start, end));
const heifBrands = /^(hei[cmsx]|hev[cmsx]|mif1|msf1)$/;

/**
 * Names what a file that does not decode begins with: another format, a Git LFS pointer, a web page. Returns `undefined`
 * if it is not known.
 */
export function recognize(bytes: Uint8Array): { readonly kind: 'format' | 'other'; readonly name: string } | undefined {
  if (bytes.length === 0) return { kind: 'other', name: 'empty' };
  const text = ascii(bytes, 0, 256);
  const format = (name: string) => ({ kind: 'format', name }) as const;
  if (text.slice(4, 8) === 'ftyp' && heifBrands.test(text.slice(8, 12))) return format('HEIC');
  if (text.startsWith('8BPS')) return format('Photoshop');
  if (text.startsWith('\xff\x0a') || text.startsWith('\0\0\0\x0cJXL ')) return format('JPEG XL');
  if (text.startsWith('\0\0\0\x0cjP  ')) return format('JPEG 2000');
  if (/^P[1-6]\s/.test(text)) return format('PNM');
  if (text.startsWith('\0\0\x01\0')) return format('ICO');
  if (text.startsWith('%PDF-')) return format('PDF');
  if (/^\s*(<!doctype html|<html)/i.test(text)) return { kind: 'other', name: 'a web page' };
  if (/^\s*[[{]/.test(text)) return { kind: 'other', name: 'JSON' };
  return bytes.every((byte) => byte === 0) ? { kind: 'other', name: 'zeros only' } : undefined;
}

const lfsPointer = /^version https:\/\/git-lfs\.github\.com\/spec\//;

/** Checks whether a file is the pointer that Git leaves where Git LFS is not installed. */
export function isLfsPointer(bytes: Uint8Array): boolean {
  return bytes.length < 1024 && lfsPointer.test(ascii(bytes, 0, 64));
}

/** What to do about a Git LFS pointer. */
export const lfsAction = 'It is a Git LFS pointer, not the file. Run git lfs pull in its repository.';
