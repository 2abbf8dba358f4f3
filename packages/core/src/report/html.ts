/** Text of HTML or SVG that needs no escaping. */
export class Html {
  constructor(readonly text: string) {}
}

/** What a template may have in it. */
export type Part = Html | string | number | readonly Part[];

/** A template tag that escapes everything that is not {@link Html}. */
export function html(strings: TemplateStringsArray, ...parts: readonly Part[]): Html {
  return new Html(strings.map((text, i) => text + (i < parts.length ? textOf(parts[i]!) : '')).join(''));
}

function textOf(part: Part): string {
  if (part instanceof Html) return part.text;
  if (typeof part === 'object') return part.map(textOf).join('');
  return String(part).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** Returns a value as JSON for a script element, which must not contain the end of one. */
export function json(value: unknown): Html {
  return new Html(JSON.stringify(value).replaceAll('<', '\\u003c'));
}
