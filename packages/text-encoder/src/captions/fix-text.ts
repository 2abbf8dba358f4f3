import { decodeHTMLStrict } from 'entities/decode';
import { unescapeHtml } from './html-entities.js';
import { badness, codePageTables, ligatures, utf8Detector } from './mojibake.js';

/*
 * Bytes are strings of the characters U+0000 to U+00FF here, so that regular expressions can match them.
 */

interface CodePage {
  readonly name: string;
  /** Whether byte 0x1a stands for U+FFFD, a lost byte. */
  readonly isSloppy: boolean;
  readonly byteOf: ReadonlyMap<string, string>;
}

const codePages: readonly CodePage[] = codePageTables.map(([name, upper]) => {
  const isSloppy = name.startsWith('sloppy');
  const byteOf = new Map<string, string>();
  const ascii = String.fromCharCode(...Array(128).keys());
  for (const character of ascii + upper) byteOf.set(character, String.fromCharCode(byteOf.size));
  if (isSloppy) byteOf.delete('\x1a');
  if (isSloppy) byteOf.set('\ufffd', '\x1a');
  return { name, isSloppy, byteOf };
});

const windows1252 = Array.from(codePageTables.find(([name]) => name === 'sloppy-windows-1252')![1]);

function encode(text: string, { byteOf }: CodePage): string | undefined {
  let bytes = '';
  for (const character of text) {
    const byte = byteOf.get(character);
    if (byte === undefined) return undefined;
    bytes += byte;
  }
  return bytes;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Decodes UTF-8. Throws a `TypeError` if the bytes are not UTF-8. */
const decodeUtf8 = (bytes: string) => utf8.decode(Uint8Array.from(bytes, (byte) => byte.charCodeAt(0)));

/**
 * Decodes UTF-8 with separately encoded surrogates (CESU-8), or with U+0000 as 0xc0 0x80 (Java; 0xc0 at the end of a
 * line too).
 */
function decodeUtf8Variants(bytes: string): string {
  return bytes
    .split(/(\xc0\x80|\xc0\n$|\xed[\xa0-\xaf][\x80-\xbf]\xed[\xb0-\xbf][\x80-\xbf])/)
    .map((part, index) => {
      if (index % 2 === 0) return decodeUtf8(part);
      if (part.length === 2) return '\0';
      const [, b1, b2, , b4, b5] = Array.from(part, (byte) => byte.charCodeAt(0)) as [number, ...number[]];
      return String.fromCodePoint(
        0x10000 + ((b1! & 0x0f) << 16) + ((b2! & 0x3f) << 10) + ((b4! & 0x0f) << 6) + (b5! & 0x3f),
      );
    })
    .join('');
}

/** UTF-8 in which a no-break space (0xa0) became a space. */
const alteredUtf8 =
  /[\xc2\xc3\xc5\xce\xd0\xd9] |[\xe2\xe3] [\x80-\x84\x86-\x9f\xa1-\xbf]|[\xe0-\xe3][\x80-\x84\x86-\x9f\xa1-\xbf] |\xf0 [\x80-\xbf][\x80-\xbf]|\xf0[\x80-\xbf] [\x80-\xbf]|\xf0[\x80-\xbf][\x80-\xbf] /g;

/** UTF-8 with lost bytes, which became 0x1a or `?`. */
const lossyUtf8 =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the byte that stands for a lost one
  /[\xc2-\xdf]\x1a|[\xc2-\xc3]\?|\xed[\xa0-\xaf][\x1a?]\xed[\xb0-\xbf][\x1a?\x80-\xbf]|\xed[\xa0-\xaf][\x1a?\x80-\xbf]\xed[\xb0-\xbf][\x1a?]|[\xe0-\xef][\x1a?][\x1a\x80-\xbf]|[\xe0-\xef][\x1a\x80-\xbf][\x1a?]|[\xf0-\xf4][\x1a?][\x1a\x80-\xbf][\x1a\x80-\xbf]|[\xf0-\xf4][\x1a\x80-\xbf][\x1a?][\x1a\x80-\xbf]|[\xf0-\xf4][\x1a\x80-\xbf][\x1a\x80-\xbf][\x1a?]|\x1a/g;

function restoreByteA0(bytes: string): string {
  // "Ã la" was "à la": after the word à the space is kept.
  const words = bytes.replace(/\xc3 (?! |quele|quela|quilo|s )/g, '\xc3\xa0 ');
  return words.replace(alteredUtf8, (match) => match.replaceAll(' ', '\xa0'));
}

const replaceC1Controls = (text: string) => text.replace(/[\x80-\x9f]/g, (c) => windows1252[c.charCodeAt(0) - 128]!);

function fixEncodingOnce(text: string): string {
  if (/^[\0-\x7f]*$/.test(text) || !badness.test(text)) return text;

  for (const page of codePages) {
    let bytes = encode(text, page);
    if (bytes === undefined) continue;
    // In MacRoman an en dash with a space would be mistaken for a lost no-break space.
    if (page.name !== 'macroman' && bytes.search(alteredUtf8) >= 0) bytes = restoreByteA0(bytes);
    if (page.isSloppy) bytes = bytes.replace(lossyUtf8, '\xef\xbf\xbd');
    try {
      return /[\xed\xc0]/.test(bytes) ? decodeUtf8Variants(bytes) : decodeUtf8(bytes);
    } catch {
      // Not UTF-8: try the next encoding.
    }
  }

  const mended = text.replace(utf8Detector, (part) =>
    part.length < text.length && badness.test(part) ? fixEncoding(part) : part,
  );
  if (mended !== text) return mended;
  // The control characters of Latin-1 are not used in text: they were Windows-1252.
  return replaceC1Controls(text);
}

function fixEncoding(text: string): string {
  for (let current = text; ; ) {
    const next = fixEncodingOnce(current);
    if (next === current) return current;
    current = next;
  }
}

/** Entities that end in a semicolon, including names in capitals that are not standard (`&EACUTE;`). */
function unescapeUnambiguous(text: string): string {
  return text.replace(/&#?[0-9A-Za-z]{1,24};/g, (entity) => {
    if (entity.startsWith('&#')) {
      const decoded = unescapeHtml(entity);
      return decoded.includes(';') ? entity : decoded;
    }
    const decoded = decodeHTMLStrict(entity);
    if (decoded !== entity) return decoded;
    const lower = entity.toLowerCase();
    if (entity !== lower && entity === entity.toUpperCase() && unescapeHtml(entity) === entity) {
      const decodedLower = decodeHTMLStrict(lower);
      if (decodedLower !== lower) return decodedLower.toUpperCase();
    }
    return entity;
  });
}

const ligaturePattern = new RegExp(`[${Object.keys(ligatures).join('')}]`, 'g');

function fixCharacters(text: string): string {
  return (
    replaceC1Controls(text)
      .replace(ligaturePattern, (ligature) => ligatures[ligature]!)
      .replace(/[\u3000\uff01-\uffef]/g, (wide) => wide.normalize('NFKC'))
      .replace(/[\u201c-\u201f]/g, '"')
      .replace(/[\u02bc\u2018-\u201b]/g, "'")
      .replace(/\r\n|[\r\u2028\u2029\x85]/g, '\n')
      .replace(/\p{Surrogate}/gu, '\ufffd')
      // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it removes
      .replace(/\x1b\[[\d;]*[a-zA-Z]/g, '')
      // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it removes
      .replace(/[\0-\x08\x0b\x0e-\x1f\x7f\u206a-\u206f\ufeff\ufff9-\ufffc]/g, '')
      .normalize('NFC')
  );
}

/**
 * Fixes text that was decoded in the wrong encoding or otherwise damaged, as `fix_text` of the Python package ftfy 6.3
 * does with its defaults. It decodes mojibake (`schÃ¶n`) and HTML entities, straightens quotes, splits ligatures, gives
 * fullwidth and halfwidth characters their usual width, and removes control characters. A lone surrogate becomes
 * U+FFFD.
 */
export function fixText(text: string): string {
  let isHtml = false;
  // Line by line, because only some lines may be damaged.
  return (text.match(/[^\n]*\n|[^\n]+$/g) ?? [])
    .map((line) => {
      isHtml ||= line.includes('<');
      for (let current = line; ; ) {
        const next = fixCharacters(fixEncoding(isHtml ? current : unescapeUnambiguous(current)));
        if (next === current) return current;
        current = next;
      }
    })
    .join('');
}
