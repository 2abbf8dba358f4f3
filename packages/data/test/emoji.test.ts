import { cp, readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { beforeAll, describe, expect, test } from 'vitest';
import { emojiCaptions } from '../src/emoji/captions.js';
import { openEmoji } from '../src/emoji/dataset.js';
import { conceptOf, EmojiTable, readEmojiIcons } from '../src/emoji/icons.js';
import { prepareEmoji } from '../src/emoji/prepare.js';
import { splitEmoji } from '../src/emoji/split.js';

const redApple = '1F34E';
const japan = '1F1EF-1F1F5';

const table = await EmojiTable.read();

describe('openEmoji', () => {
  let prepared: string;
  beforeAll(async () => {
    prepared = await temporaryFolder();
    const vendors = ['twemoji', 'noto-v1', 'fxemoji'] as const;
    await (await prepareEmoji(prepared, { imageSize: 32, vendors, concepts: [redApple] })).close();
  });

  test('refuses damaged folders and names the damaged file', async () => {
    const folder = await temporaryFolder();
    await cp(prepared, folder, { recursive: true });
    const names = await readdir(folder);
    const pictures = names.find((name) => name.startsWith('pictures-'))!;
    const index = names.find((name) => name.startsWith('index-'))!;
    await truncate(join(folder, pictures), 1000);
    await expect(openEmoji(folder)).rejects.toThrow(new RegExp(`${pictures} must have 9216 bytes, not 1000\\. Delete`));
    await writeFile(join(folder, index), '{}\n');
    await expect(openEmoji(folder)).rejects.toThrow(`${index} must have 3 lines, not 1.`);
    await writeFile(join(folder, 'emoji.json'), '{');
    await expect(openEmoji(folder)).rejects.toThrow(
      /emoji\.json: the text must be JSON, and is not .*Delete the folder/,
    );
  });

  test.each([
    ['format', ['other', null]],
    ['imageSize', [0, -8, 16.5, '16', 513, 1e300, undefined]],
    ['pictures', ['../pictures-000000000000.u8', '/etc/passwd', 'pictures-000000000000.u8\n', ['x'], undefined]],
    ['index', ['..\\index-000000000000.jsonl', 'emoji.json', 3, undefined]],
    ['length', [0, -3, 1.5, '3', null, undefined]],
    ['source', [1, null, undefined]],
  ])('refuses emoji.json with a wrong %s', async (field, values) => {
    const folder = await temporaryFolder();
    const manifest = {
      format: 'dalle-mini-emoji',
      imageSize: 16,
      pictures: 'pictures-000000000000.u8',
      index: 'index-000000000000.jsonl',
      length: 3,
      source: '000000000000',
    };
    for (const value of values) {
      await writeFile(join(folder, 'emoji.json'), JSON.stringify({ ...manifest, [field]: value }));
      await expect(openEmoji(folder), String(value)).rejects.toThrow(
        new RegExp(`emoji\\.json: ${field} (must be .*, not .*|is missing; it must be .*)\\. Delete the folder`),
      );
    }
  });

  test.each([
    ['key', [3, undefined]],
    ['vendor', ['openmoji', 'constructor', undefined]],
    ['hexcode', ['', 'x', '1F34E-', ['1F34E'], undefined]],
    ['concept', ['../1F34E', 7, undefined]],
    ['group', [null, {}, undefined]],
    ['split', ['test', ['train'], undefined]],
    ['captions', ['apple', [], [['apple']], [1], null, undefined]],
  ])('refuses an entry with a wrong %s', async (field, values) => {
    const folder = await temporaryFolder();
    await cp(prepared, folder, { recursive: true });
    const path = join(folder, (await readdir(folder)).find((name) => name.startsWith('index-'))!);
    const lines = (await readFile(path, 'utf8')).trimEnd().split('\n');
    for (const value of values) {
      const entry = JSON.stringify({ ...JSON.parse(lines[1]!), [field]: value });
      await writeFile(path, [lines[0], entry, lines[2]].join('\n'));
      await expect(openEmoji(folder), String(value)).rejects.toThrow(
        new RegExp(
          `\\.jsonl, line 2: ${field}(\\[0\\])? (must be .*, not .*|is missing; it must be .*)\\. Delete the folder`,
        ),
      );
    }
    await writeFile(path, [lines[0], lines[0], lines[2]].join('\n'));
    await expect(openEmoji(folder)).rejects.toThrow(/line 2: key must be unique, not ".*" again/);
    await writeFile(path, [lines[0], 'null', lines[2]].join('\n'));
    await expect(openEmoji(folder)).rejects.toThrow(/line 2: the text must be a JSON object, not null/);
  });
});

describe('matching icons to emoji', () => {
  test.each([
    ['fxemoji', 'sliceofpizza', '1F355'],
    ['fxemoji', 'japanflag', japan],
    ['emojione', 'flag-for-swaziland', '1F1F8-1F1FF'],
    ['emojione', 'bride-with-veil-dark-skin-tone', '1F470'],
    ['emojione', 'grinning-cat-face', '1F63A'],
    ['noto-v1', 'keycap-asterisk', '2A-20E3'],
    ['noto-v1', 'flag-for-flag-japan', japan],
  ] as const)('in the set %s, finds the emoji of %s', async (vendor, name, concept) => {
    const icon = (await readEmojiIcons(vendor, table)).find((candidate) => candidate.name === name);
    expect(icon && conceptOf(icon)).toBe(concept);
  });

  test('mirrors the icons that a set defines as mirror images', async () => {
    const icons = await readEmojiIcons('fluent-emoji-flat', table);
    const left = icons.find(({ name }) => name === 'backhand-index-pointing-left')!;
    const right = icons.find(({ name }) => name === 'backhand-index-pointing-right')!;
    expect(right.variant.hexcode).toBe('1F449');
    expect(right.svg).toContain('scale(-1 1)');
    expect(left.svg).not.toContain('scale(-1 1)');
  });

  test('takes at most one icon per set for each emoji, and none for letters, skin tones and hair', async () => {
    for (const vendor of ['twemoji', 'emojione'] as const) {
      const icons = await readEmojiIcons(vendor, table);
      expect(new Set(icons.map(({ variant }) => variant.hexcode)).size).toBe(icons.length);
      expect(icons.map(({ name }) => name)).not.toContain('letter-a');
      expect(icons.map(({ name }) => name)).not.toContain('light-skin-tone');
    }
  });
});

describe('emojiCaptions', () => {
  const captionsOf = (hexcode: string, vendor: 'noto' | 'twemoji' | 'fxemoji' = 'noto', color?: string) =>
    emojiCaptions({ ...table.find(hexcode)!, vendor, unicodeName: table.unicodeName(hexcode), color });

  test('begin with the plain label, followed by the label with its article', () => {
    expect(captionsOf('1F680').slice(0, 2)).toEqual(['rocket', 'a rocket']);
    expect(captionsOf('1F419')[1]).toBe('an octopus');
    expect(captionsOf('1F984')[1]).toBe('a unicorn');
    expect(captionsOf('1F411')[1]).toBe('a ewe');
  });

  test.each([
    ['1F347', 'grapes'],
    ['1F35E', 'bread'],
    ['1F385', 'Santa Claus'],
    ['2716', 'multiply'],
    ['1F5FD', 'Statue of Liberty'],
  ])('put no article before %s, %s', (hexcode, label) => {
    expect(captionsOf(hexcode)[0]).toBe(label);
    expect(captionsOf(hexcode)).not.toContain(`a ${label}`);
    expect(captionsOf(hexcode)).not.toContain(`an ${label}`);
  });

  test('contain words that people would type', () => {
    expect(captionsOf('1F355')).toContain('a slice of pizza');
    expect(captionsOf('1F63F')).toContain('sad cat');
    expect(captionsOf('1F680')).toContain('rocket flying');
    expect(captionsOf('1F33F')).toContain('green leaf');
    expect(captionsOf('1F431')).toContain('a cat');
    expect(captionsOf(japan)).toEqual(expect.arrayContaining(['flag of Japan', 'Japan flag', 'Japanese flag']));
    expect(captionsOf('1F1FA-1F1F8')).toContain('the flag of the United States');
    expect(captionsOf('1F468-200D-2708-FE0F')).toContain('male pilot');
  });

  test('name the skin tone in every caption', () => {
    const captions = captionsOf('1F44D-1F3FF');
    expect(captions[0]).toBe('thumbs up, dark skin tone');
    expect(captions.filter((caption) => !caption.includes('dark'))).toEqual([]);
    expect(captionsOf('1F469-1F3FB-200D-1F680')[1]).toBe('a woman astronaut with light skin');
    expect(captionsOf('1F9D1-1F3FB-200D-1F91D-200D-1F9D1-1F3FE')[0]).toBe(
      'people holding hands, light and medium-dark skin tone',
    );
  });

  test('name the dominant color, unless the label names a color', () => {
    expect(captionsOf('1F697', 'noto', 'blue')).toEqual(
      expect.arrayContaining(['a blue automobile', 'blue car', 'a blue car']),
    );
    expect(captionsOf(redApple, 'noto', 'blue').join()).not.toContain('blue');
  });

  test('describe the drawing of a set if it differs from the label', () => {
    expect(captionsOf('1F52B', 'twemoji')[0]).toBe('water pistol');
    expect(captionsOf('1F52B', 'fxemoji')[0]).toBe('pistol');
  });

  test('are at most twelve, different, not blank, and the same on every call', async () => {
    for (const icon of await readEmojiIcons('twemoji', table)) {
      const captions = emojiCaptions({ ...icon, unicodeName: table.unicodeName(icon.variant.hexcode), color: 'green' });
      expect(captions.length, icon.name).toBeGreaterThan(1);
      expect(captions.length, icon.name).toBeLessThanOrEqual(12);
      expect(new Set(captions.map((caption) => caption.toLowerCase())).size, icon.name).toBe(captions.length);
      expect(captions.filter((caption) => caption.trim() !== caption || /undefined| {2}|[“”’]/.test(caption))).toEqual(
        [],
      );
    }
    expect(captionsOf('1F419')).toEqual(captionsOf('1F419'));
    expect(captionsOf('1F419', 'twemoji')).not.toEqual(captionsOf('1F419'));
  });
});

describe('splitEmoji', () => {
  const drawings = Array.from({ length: 2000 }, (_, concept) =>
    ['a', 'b', 'c', 'd']
      .slice(concept % 4)
      .map((vendor) => ({ concept: `c${concept}`, vendor, svgHash: `${concept}/${vendor}` })),
  ).flat();
  const share = (splits: string[], split: string) => splits.filter((name) => name === split).length / splits.length;

  test('holds out about a twentieth of the concepts and of the other drawings', () => {
    const splits = splitEmoji(drawings, 0);
    expect(share(splits, 'unseen-concepts')).toBeGreaterThan(0.035);
    expect(share(splits, 'unseen-concepts')).toBeLessThan(0.065);
    expect(share(splits, 'held-out-drawings')).toBeGreaterThan(0.035);
    expect(share(splits, 'held-out-drawings')).toBeLessThan(0.065);
  });

  test('keeps at least two drawings of a concept in training for each that is held out', () => {
    const splits = splitEmoji(drawings, 0);
    drawings.forEach(({ concept }, index) => {
      if (splits[index] !== 'held-out-drawings') return;
      const trained = drawings.filter((other, place) => other.concept === concept && splits[place] === 'train');
      expect(trained.length).toBeGreaterThanOrEqual(2);
    });
  });

  test('holds out a concept with all its drawings, and a drawing with all its skin tones', () => {
    const toned = drawings.flatMap((drawing) => [drawing, { ...drawing, svgHash: `${drawing.svgHash}/dark` }]);
    const splits = splitEmoji(toned, 0);
    const bySubject = new Map<string, Set<string>>();
    toned.forEach(({ concept, vendor }, index) => {
      const split = splits[index]!;
      const subject = split === 'unseen-concepts' ? concept : `${concept}/${vendor}`;
      bySubject.set(subject, (bySubject.get(subject) ?? new Set()).add(split));
      if (split === 'unseen-concepts') return;
      expect(bySubject.has(concept)).toBe(false);
    });
    expect([...bySubject.values()].every((splitsOfSubject) => splitsOfSubject.size === 1)).toBe(true);
  });

  test('holds out both Fluent sets together, since they are one design', () => {
    const vendors = ['noto', 'twemoji', 'fluent-emoji', 'fluent-emoji-flat'];
    const four = Array.from({ length: 600 }, (_, concept) =>
      vendors.map((vendor) => ({ concept: `c${concept}`, vendor, svgHash: `${concept}/${vendor}` })),
    ).flat();
    const splits = splitEmoji(four, 0);
    let held = 0;
    for (let index = 0; index < four.length; index += 4) {
      expect(splits[index + 2]).toBe(splits[index + 3]);
      if (splits[index + 2] === 'held-out-drawings') held++;
    }
    expect(held).toBeGreaterThan(0);
    expect(share(splits, 'held-out-drawings')).toBeGreaterThan(0.03);
    expect(share(splits, 'held-out-drawings')).toBeLessThan(0.07);
  });

  test('keeps concepts that share a picture on one side', () => {
    const pairs = Array.from({ length: 400 }, (_, concept) => ({
      concept: `c${concept}`,
      vendor: 'a',
      svgHash: `picture of ${Math.floor(concept / 2)}`,
    }));
    const splits = splitEmoji(pairs, 0);
    expect(splits).toContain('unseen-concepts');
    for (let index = 0; index < 400; index += 2) expect(splits[index]).toBe(splits[index + 1]);
  });

  test('depends only on the seed', () => {
    expect(splitEmoji(drawings, 7)).toEqual(splitEmoji(drawings, 7));
    expect(splitEmoji(drawings, 7)).not.toEqual(splitEmoji(drawings, 8));
  });
});
