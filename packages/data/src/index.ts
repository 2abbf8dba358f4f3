export * from './dataset.js';
export * from './emoji.js';
export { captionLimit } from './emoji-captions.js';
export { type EmojiVendor, emojiVendors } from './emoji-icons.js';
export type { EmojiSplit } from './emoji-split.js';
