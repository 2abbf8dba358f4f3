import { decodeHTML } from 'entities/decode';

/** Code points, except U+0000 and the C1 controls, whose character references are removed. */
const isInvalid = (code: number) =>
  (code >= 0x1 && code <= 0x8) ||
  code === 0xb ||
  (code >= 0xe && code <= 0x1f) ||
  (code >= 0x7f && code <= 0x9f) ||
  (code >= 0xfdd0 && code <= 0xfdef) ||
  (code & 0xfffe) === 0xfffe;

/** The C1 controls without a character in Windows-1252, which are kept. */
const unassignedInWindows1252 = new Set([0x81, 0x8d, 0x8f, 0x90, 0x9d]);

function numericReference(reference: string): string {
  const code = /^[xX]/.test(reference) ? Number.parseInt(reference.slice(1), 16) : Number.parseInt(reference, 10);
  if (unassignedInWindows1252.has(code)) return String.fromCharCode(code);
  if (code >= 0x80 && code <= 0x9f) return decodeHTML(`&#${code};`);
  if (code === 0 || (code >= 0xd800 && code <= 0xdfff) || code > 0x10ffff) return '\ufffd';
  return isInvalid(code) ? '' : String.fromCodePoint(code);
}

/** Decodes the character references of a text, with or without a semicolon, as Python's `html.unescape` does. */
export function unescapeHtml(text: string): string {
  if (!text.includes('&')) return text;
  return text.replace(/&(?:#([0-9]+|[xX][0-9a-fA-F]+);?|[^\t\n\f <&#;]{1,32};?)/g, (match, numeric?: string) =>
    numeric === undefined ? decodeHTML(match) : numericReference(numeric),
  );
}
