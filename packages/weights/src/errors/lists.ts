import { quote } from '@dalle-mini/core';

// A hostile file must not fill the log: each text and list of any length is cut here, or by `quote` of core.

/** Lists sizes for an error message. */
export function listText(sizes: readonly number[]): string {
  return sizes.length > 12 ? `[${sizes.slice(0, 12)},… ${sizes.length} numbers]` : `[${sizes}]`;
}

/** Lists names for an error message, quoted. */
export function listNames(names: readonly string[]): string {
  const shown = names.slice(0, 20).map(quote).join(', ');
  return names.length > 20 ? `${shown} and ${names.length - 20} others` : shown;
}

/** Names a function or a class of Python for an error message, without quotes if it looks like one. */
export function pythonName(name: string): string {
  return /^[\w.<>]{1,100}$/.test(name) ? name : quote(name);
}
