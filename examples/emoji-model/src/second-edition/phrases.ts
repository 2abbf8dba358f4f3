/** Phrases for things: articles and plurals. */

/** Words whose plural has no `s`. */
const irregular: Readonly<Record<string, string>> = {
  mouse: 'mice',
  goose: 'geese',
  tooth: 'teeth',
  foot: 'feet',
  man: 'men',
  woman: 'women',
  child: 'children',
  ox: 'oxen',
  leaf: 'leaves',
  wolf: 'wolves',
  knife: 'knives',
  loaf: 'loaves',
  scarf: 'scarves',
  fish: 'fish',
  sheep: 'sheep',
  deer: 'deer',
  bison: 'bison',
  squid: 'squid',
  shrimp: 'shrimp',
};
const plurals: ReadonlySet<string> = new Set(Object.values(irregular));
/** Words in -s that are singular. */
const singularInS = /(ss|us|is|as|bus|lens|compass|canvas)$/;

/** Puts `a` or `an` before a name, or returns `undefined` if it is a plural. */
export function withArticle(name: string): string | undefined {
  const noun = name
    .split(/ (?:with|of|in|on) /)[0]!
    .split(' ')
    .at(-1)!;
  if (plurals.has(noun) || (noun.endsWith('s') && !singularInS.test(noun))) return undefined;
  return `${/^([aeio]|u(?!ni|se))/.test(name) ? 'an' : 'a'} ${name}`;
}

/** Returns the plural of a name such as `red apple`. */
export function pluralOf(name: string): string {
  const words = name.split(' ');
  const noun = words.pop()!;
  const plural =
    irregular[noun] ??
    (/(s|x|z|ch|sh|[^aeiou]o)$/.test(noun)
      ? `${noun}es`
      : /[^aeiou]y$/.test(noun)
        ? `${noun.slice(0, -1)}ies`
        : `${noun}s`);
  return [...words, plural].join(' ');
}
