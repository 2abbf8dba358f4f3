/** Open-licensed emoji as pictures with captions, rendered from SVG and split for training and evaluation. */
export { type EmojiDataset, type EmojiEntry, type EmojiSample, openEmoji } from './dataset.js';
export { dominantColor } from './dominant-color.js';
export { type EmojiVendor, emojiVendors } from './icons.js';
export { type PrepareEmojiOptions, type PrepareProgress, prepareEmoji } from './prepare.js';
export type { EmojiSplit } from './split.js';
