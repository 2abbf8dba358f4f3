/**
 * Finds a directive in headers `X-Robots-Tag` that disallows the use of an image, as img2dataset does: `noai`, or `dalle-mini: noai, noindex`
 * for one program.
 *
 * @param headers The values of the header.
 * @param token The name of this program.
 * @param disallowed Directives, in lower case.
 */
export function findOptOut(
  headers: string | readonly string[] | undefined,
  token: string,
  disallowed: readonly string[],
): string | undefined {
  for (const header of [headers ?? []].flat()) {
    const [, name, list] = /^\s*(?:([^:,]+):)?(.*)$/s.exec(header.toLowerCase())!;
    if (name !== undefined && name.trim() !== token.toLowerCase()) continue;
    const found = list!.split(',').find((directive) => disallowed.includes(directive.trim()));
    if (found !== undefined) return found.trim();
  }
  return undefined;
}
