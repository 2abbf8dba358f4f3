/** The characters that byte-level BPE (Radford et al. 2019) has for bytes: those that are printed, and 256 onward for the others. */
const characters = (() => {
  let others = 256;
  return Array.from({ length: 256 }, (_, byte) => {
    const isPrinted = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
    return String.fromCharCode(isPrinted ? byte : others++);
  });
})();

/** Returns a text in which each byte of its UTF-8 is a character. */
export function byteLevelText(text: string): string {
  return Array.from(new TextEncoder().encode(text), (byte) => characters[byte]).join('');
}

/** The words of byte-level BPE. */
export const byteLevelWords =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;
