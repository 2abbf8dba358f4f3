import { createHash } from 'node:crypto';
import { findPackageFile, readTextFile } from '@dalle-mini/core/node';
import { DataError } from '../data-error.js';
import { fxemojiCodePoints } from './fxemoji-code-points.js';

/** The open-licensed Iconify sets of the emoji dataset, in the order of its pictures. */
export const emojiVendors = [
  'noto',
  'noto-v1',
  'fluent-emoji',
  'fluent-emoji-flat',
  'fxemoji',
  'twemoji',
  'emojione',
] as const;

/** Name of an Iconify set, the part after `@iconify-json/` of its npm package. */
export type EmojiVendor = (typeof emojiVendors)[number];

/** An emoji as `emojibase-data` describes it. */
export interface Emoji {
  /** Code points, upper-case hexadecimal, joined by `-`. */
  readonly hexcode: string;
  readonly label: string;
  readonly tags?: readonly string[] | undefined;
  /** Index into Unicode's groups (0: smileys, 1: people, 3: animals, 9: flags, …); absent for single letters. */
  readonly group?: number | undefined;
  readonly subgroup?: number | undefined;
  /** Skin tone, 1 (light) to 5 (dark), or one per person. */
  readonly tone?: number | readonly number[] | undefined;
  readonly skins?: readonly Emoji[] | undefined;
}

/** An emoji variant (a skin tone, or the plain form) and its base emoji. */
export interface EmojiVariant {
  readonly variant: Emoji;
  readonly base: Emoji;
}

/** An icon of a set, matched to its emoji. */
export interface EmojiIcon extends EmojiVariant {
  readonly vendor: EmojiVendor;
  /** Name of the icon in the set. */
  readonly name: string;
  /** A stand-alone SVG document. */
  readonly svg: string;
  /** Hash of `svg`, equal for icons of a set that look the same. */
  readonly svgHash: string;
}

interface IconifyIcon {
  readonly body: string;
  readonly hidden?: boolean | undefined;
  readonly left?: number | undefined;
  readonly top?: number | undefined;
  readonly width?: number | undefined;
  readonly height?: number | undefined;
}

interface IconifyAlias extends Omit<IconifyIcon, 'body'> {
  readonly parent: string;
  readonly hFlip?: boolean | undefined;
  readonly vFlip?: boolean | undefined;
  readonly rotate?: number | undefined;
}

interface IconifySet {
  readonly icons: Readonly<Record<string, IconifyIcon>>;
  readonly aliases?: Readonly<Record<string, IconifyAlias>> | undefined;
  readonly left?: number | undefined;
  readonly top?: number | undefined;
  readonly width?: number | undefined;
  readonly height?: number | undefined;
}

/** Share of the icon's width and height that is left blank on each side. */
const margin = 0.04;

/**
 * Reads a JSON file of an optional npm package.
 *
 * @throws DataError with the `npm install` command if the package is not installed.
 */
export async function readPackageJson<T>(packageName: string, file: string): Promise<T> {
  const path = `${packageName}/${file}`;
  let location: string;
  try {
    location = findPackageFile(path, import.meta.url);
  } catch (error) {
    throw new DataError(
      `${path} is missing. Install the packages of the emoji dataset:\n` +
        `  npm install emojibase-data ${emojiVendors.map((vendor) => `@iconify-json/${vendor}`).join(' ')}`,
      { cause: error },
    );
  }
  try {
    return JSON.parse(await readTextFile(location)) as T;
  } catch (error) {
    if (error instanceof SyntaxError) {
      throw new DataError(`${location} is not valid JSON. Reinstall the package: npm install --force ${packageName}`, {
        cause: error,
      });
    }
    throw error;
  }
}

/** Returns the versions of the npm packages for the icons of `vendors` and their captions. Throws if one is missing. */
export async function emojiPackageVersions(vendors: readonly EmojiVendor[]): Promise<Record<string, string>> {
  const packages = ['emojibase-data', ...vendors.map((vendor) => `@iconify-json/${vendor}`)];
  const versions = await Promise.all(
    packages.map((name) => readPackageJson<{ version: string }>(name, 'package.json')),
  );
  return Object.fromEntries(packages.map((name, index) => [name, versions[index]!.version]));
}

/** Drops leading zeros and the variation selector, which only some sets write. */
function normalizeHexcode(hexcode: string): string {
  return hexcode
    .toUpperCase()
    .split('-')
    .map((point) => point.replace(/^0+/, ''))
    .filter((point) => point !== 'FE0F')
    .join('-');
}

/** Reduces a name to letters and digits, so that different spellings of one name are equal. */
function normalizeName(name: string): string {
  return name
    .normalize('NFD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/&/g, 'and')
    .replace(/^flag-for-(flag-)?/, 'flag-')
    .replace(/[^a-z0-9]/g, '');
}

/** Names that some sets give to a blank key or a plain sign rather than to a keycap emoji. */
const misleadingNames: ReadonlySet<string> = new Set(['keycap', 'asterisk']);

/** All emoji by hexcode (without variation selectors), except single letters, skin tones and hair. */
export class EmojiTable {
  private constructor(
    private readonly byHexcode: ReadonlyMap<string, EmojiVariant>,
    private readonly unicodeNames: ReadonlyMap<string, string>,
    private readonly hexcodeByName: Map<string, string>,
  ) {}

  static async read(): Promise<EmojiTable> {
    const data = await readPackageJson<readonly Emoji[]>('emojibase-data', 'en/data.json');
    const unicodeNames = await readPackageJson<Record<string, string>>('emojibase-data', 'meta/unicode-names.json');
    const shortcodes = await Promise.all(
      ['cldr', 'joypixels', 'emojibase'].map((preset) =>
        readPackageJson<Record<string, string | string[]>>('emojibase-data', `en/shortcodes/${preset}.json`),
      ),
    );
    const components = 2;
    const byHexcode = new Map<string, EmojiVariant>();
    for (const base of data) {
      if (base.group === undefined || base.group === components) continue;
      for (const variant of [base, ...(base.skins ?? [])]) {
        byHexcode.set(normalizeHexcode(variant.hexcode), { variant, base });
      }
    }
    const names = new Map<string, string>();
    for (const [hexcode, name] of Object.entries(unicodeNames)) names.set(normalizeHexcode(hexcode), name);
    const table = new EmojiTable(byHexcode, names, new Map());
    // Names are added in order of reliability, since the first emoji of a name is kept.
    for (const [hexcode, { variant }] of byHexcode) table.addName(variant.label, hexcode);
    // Sets without code points use the same names as these.
    for (const vendor of ['noto', 'twemoji', 'fluent-emoji-flat']) {
      const characters = await readPackageJson<Record<string, string>>(`@iconify-json/${vendor}`, 'chars.json');
      for (const [hexcode, name] of Object.entries(characters)) table.addName(name, hexcode);
    }
    for (const [hexcode, name] of names) table.addName(name, hexcode);
    for (const preset of shortcodes) {
      for (const [hexcode, codes] of Object.entries(preset)) {
        for (const code of [codes].flat()) table.addName(code, hexcode);
      }
    }
    return table;
  }

  /** Finds the emoji of a hexcode. */
  find(hexcode: string): EmojiVariant | undefined {
    return this.byHexcode.get(normalizeHexcode(hexcode));
  }

  /** Finds the emoji of a name, such as `light-bulb`, `thumbs-up-dark-skin-tone` or `thumbs-up-dark`. */
  findByName(name: string): EmojiVariant | undefined {
    const toned = name.replace(/-(light|medium-light|medium|medium-dark|dark)$/, '-$1-skin-tone');
    const hexcode = this.hexcodeByName.get(normalizeName(name)) ?? this.hexcodeByName.get(normalizeName(toned));
    return hexcode === undefined ? undefined : this.byHexcode.get(hexcode);
  }

  /** Returns the name in the Unicode standard, upper case, such as `SLICE OF PIZZA`. */
  unicodeName(hexcode: string): string | undefined {
    return this.unicodeNames.get(normalizeHexcode(hexcode));
  }

  /** Adds a name, unless it is already taken or the hexcode is not an emoji's. */
  private addName(name: string, hexcode: string): void {
    const key = normalizeName(name);
    const normal = normalizeHexcode(hexcode);
    if (misleadingNames.has(key) || !this.byHexcode.has(normal)) return;
    if (!this.hexcodeByName.has(key)) this.hexcodeByName.set(key, normal);
  }
}

/** Returns the concept of a variant: the hexcode of its base emoji, without variation selectors. */
export function conceptOf({ base }: EmojiVariant): string {
  return normalizeHexcode(base.hexcode);
}

/** Icon names of older sets, or parts of them, and their names of today. */
const renamed: readonly (readonly [old: RegExp, today: string])[] = [
  [/^blond-haired-person-(.*)$/, 'person-$1-blond-hair'],
  [/^bride-with-veil/, 'person-with-veil'],
  [/^man-with-chinese-cap/, 'person-with-skullcap'],
  [/^man-in-suit-levitating/, 'person-in-suit-levitating'],
  [/^flag-for-(.*-flags?)$/, '$1'],
  [/^flag-for-turkey$/, 'flag-turkiye'],
  [/^flag-for-myanmar$/, 'flag-myanmar-burma'],
  [/^flag-for-cocos-islands$/, 'flag-cocos-keeling-islands'],
  [/^(a|b|ab|o)-button$/, '$1-button-blood-type'],
  [/^up-text-button$/, 'up-button'],
  [/^exclamation-mark$/, 'red-exclamation-mark'],
  [/^heavy-heart-exclamation$/, 'heart-exclamation'],
  [/cat-face/, 'cat'],
];

function modernName(name: string): string {
  return renamed.reduce((current, [old, today]) => current.replace(old, today), name);
}

/** Makes a stand-alone square SVG of an icon inside a margin, without a background. */
function toSvg(
  set: IconifySet,
  icon: IconifyIcon,
  mirror: { hFlip?: boolean | undefined; vFlip?: boolean | undefined },
): string {
  const defaultSize = 16;
  const left = icon.left ?? set.left ?? 0;
  const top = icon.top ?? set.top ?? 0;
  const width = icon.width ?? set.width ?? defaultSize;
  const height = icon.height ?? set.height ?? defaultSize;
  const transform = [
    mirror.hFlip ? `translate(${2 * left + width} 0) scale(-1 1)` : '',
    mirror.vFlip ? `translate(0 ${2 * top + height}) scale(1 -1)` : '',
  ]
    .join(' ')
    .trim();
  const body = transform === '' ? icon.body : `<g transform="${transform}">${icon.body}</g>`;
  const side = Math.max(width, height) * (1 + 2 * margin);
  const viewBox = [left - (side - width) / 2, top - (side - height) / 2, side, side].join(' ');
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" ` +
    `viewBox="${viewBox}">${body}</svg>`
  );
}

/**
 * Reads the emoji of one set, one icon per emoji, in order of hexcode.
 * Hidden icons (withdrawn from the set) and aliases (other names of an icon) are left out, except mirrored aliases.
 */
export async function readEmojiIcons(vendor: EmojiVendor, table: EmojiTable): Promise<EmojiIcon[]> {
  const packageName = `@iconify-json/${vendor}`;
  const set = await readPackageJson<IconifySet>(packageName, 'icons.json');
  const characters = await readPackageJson<Record<string, string>>(packageName, 'chars.json');
  const codePoints = new Map<string, string>();
  for (const [hexcode, name] of Object.entries(characters)) {
    if (!codePoints.has(name) && table.find(hexcode)) codePoints.set(name, hexcode);
  }

  const otherNames = new Map<string, string[]>();
  for (const [alias, { parent, hFlip, vFlip, rotate }] of Object.entries(set.aliases ?? {})) {
    if (!hFlip && !vFlip && !rotate) otherNames.set(parent, [...(otherNames.get(parent) ?? []), alias]);
  }

  /** Finds the emoji of an icon, and a rank for the reliability of the match: 0 is best. */
  const match = (name: string): { emoji: EmojiVariant; rank: number } | undefined => {
    const hexcode = vendor === 'fxemoji' ? fxemojiCodePoints.get(name) : codePoints.get(name);
    const byCodePoint = hexcode === undefined ? undefined : table.find(hexcode);
    if (byCodePoint) return { emoji: byCodePoint, rank: 0 };
    // FxEmoji has names of its own, which often mean another emoji in other sets.
    if (vendor === 'fxemoji') return undefined;
    const byName = table.findByName(name) ?? table.findByName(modernName(name));
    if (byName) return { emoji: byName, rank: normalizeName(byName.variant.label) === normalizeName(name) ? 1 : 2 };
    for (const alias of otherNames.get(name) ?? []) {
      const byAlias = table.findByName(alias);
      if (byAlias) return { emoji: byAlias, rank: 3 };
    }
    return undefined;
  };

  const best = new Map<string, { icon: EmojiIcon; rank: number }>();
  const consider = (
    name: string,
    picture: IconifyIcon,
    mirror: { hFlip?: boolean | undefined; vFlip?: boolean | undefined },
  ) => {
    const matched = match(name);
    if (!matched) return;
    const hexcode = normalizeHexcode(matched.emoji.variant.hexcode);
    if ((best.get(hexcode)?.rank ?? Number.POSITIVE_INFINITY) <= matched.rank) return;
    const svg = toSvg(set, picture, mirror);
    const svgHash = createHash('sha256').update(svg).digest('hex').slice(0, 16);
    best.set(hexcode, { icon: { ...matched.emoji, vendor, name, svg, svgHash }, rank: matched.rank });
  };
  for (const [name, icon] of Object.entries(set.icons)) {
    if (!icon.hidden) consider(name, icon, {});
  }
  for (const [name, alias] of Object.entries(set.aliases ?? {})) {
    const parent = set.icons[alias.parent];
    const mirrored = alias.hFlip === true || alias.vFlip === true;
    if (mirrored && parent && !alias.hidden && !alias.rotate) consider(name, { ...parent, ...alias }, alias);
  }
  return [...best].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, { icon }]) => icon);
}
