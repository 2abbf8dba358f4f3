import { emojiNames } from './emoji-names.js';

/** Emoji with the same first code points, by their next code point. */
interface EmojiTree {
  readonly next: Map<string, EmojiTree>;
  name?: string | undefined;
}

const zeroWidthJoiner = '\u200d';
const skinTones = { '🏻': 'light', '🏼': 'medium-light', '🏽': 'medium', '🏾': 'medium-dark', '🏿': 'dark' };
/** Emoji that only modify others: skin tones and hair. */
const emojiComponents = new Set([...Object.keys(skinTones), '🦰', '🦱', '🦲', '🦳']);

/** Code points `start` to `end`: an emoji with its name, or one code point without a name. */
interface Token {
  readonly start: number;
  readonly end: number;
  readonly name?: string | undefined;
}

let tree: EmojiTree | undefined;

function buildTree(): EmojiTree {
  const root: EmojiTree = { next: new Map() };
  const add = (emoji: string, name: string) => {
    let node = root;
    for (const character of emoji) {
      const following: EmojiTree = node.next.get(character) ?? { next: new Map() };
      node.next.set(character, following);
      node = following;
    }
    node.name = name;
  };
  for (const line of emojiNames.split('\n')) {
    const [name, ...emojis] = line.split(' ') as [string, ...string[]];
    for (const emoji of emojis) {
      if (!emoji.includes('~')) add(emoji, name);
      else
        for (const [tone, of] of Object.entries(skinTones))
          add(emoji.replace('~', tone), name.replace('~', `${of}_skin_tone`));
    }
  }
  return root;
}

/**
 * Replaces emoji by their English names, as `demojize` of the Python package emoji 2.16 does.
 *
 * @param write Formats a name, such as `face_with_tears_of_joy`. Default: with a colon on each side.
 */
export function demojize(text: string, write = (name: string) => `:${name}:`): string {
  if (/^[\0-\x7f]*$/.test(text)) return text;
  tree ??= buildTree();
  const root = tree;
  const characters = Array.from(text);
  const done: string[] = [];
  // Tokens that a following joiner may still change.
  let tokens: Token[] = [];
  const loneJoiners = new Set<number>();
  const isEmoji = ({ start, name }: Token) => (name ?? root.next.get(characters[start]!)?.name) !== undefined;
  const flush = () => {
    for (const { start, end, name } of tokens) {
      done.push(name === undefined ? characters.slice(start, end).join('') : write(name));
    }
    tokens = [];
  };

  for (let i = 0; i < characters.length; i++) {
    const character = characters[i]!;
    if (loneJoiners.has(i)) {
      tokens.push({ start: i, end: i + 1 });
      continue;
    }
    const first = root.next.get(character);
    const last = tokens.at(-1);
    if (first) {
      // The longest path in the tree. An emoji that is the start of a longer one is found only if the longer one is
      // complete.
      let end = i + 1;
      let longest = first;
      while (end < characters.length && !loneJoiners.has(end)) {
        const node = longest.next.get(characters[end]!);
        if (!node) break;
        longest = node;
        end++;
      }
      if (longest.name !== undefined) {
        tokens.push({ start: i, end, name: longest.name });
        i = end - 1;
        continue;
      }
    } else if (character === zeroWidthJoiner && last && isEmoji(last) && root.next.has(characters[i - 1]!)) {
      // The joined emoji has no name: the emoji before the joiner is read again, without the joiner.
      loneJoiners.add(i);
      const isComponent = emojiComponents.has(characters.slice(last.start, last.end).join(''));
      const before = isComponent ? tokens.at(-2) : undefined;
      const length = last.end - last.start + (before ? before.end - before.start : 0);
      const start = i - length;
      const keepsJoiner = before !== undefined && characters[start] === zeroWidthJoiner;
      tokens.splice(before && !keepsJoiner ? -2 : -1);
      i = start + (keepsJoiner ? 1 : 0) - 1;
      continue;
    } else if (tokens.length > 0) {
      flush();
    }
    if (character !== '\ufe0e' && character !== '\ufe0f') tokens.push({ start: i, end: i + 1 });
  }
  flush();
  return done.join('');
}
