/**
 * The styles of drawings. Nearly all emoji were drawn by several sets. A caption that names no style means one drawing, so that a model knows
 * what to draw, and does not mix sets; captions of the others name theirs.
 */
import type { Picture } from './pictures.js';

/** What captions call each set, in the order in which a thing without a style is looked for. */
const styles: Readonly<Record<string, string>> = {
  'fluent-emoji-flat': 'fluent flat',
  twemoji: 'twemoji',
  noto: 'noto',
  'fluent-emoji': 'fluent',
  'fluent-3d': '3d',
  emojione: 'emoji one',
  fxemoji: 'firefox',
  'noto-v1': 'blob',
  'clip-art': 'clip art',
};
const order = Object.keys(styles);
/** Styles that captions name already, which several sets share. */
const sharedStyle = /, (3d|(3d|flat) style|clip art)$/;

const setOf = ({ key }: Picture) => key.split('/')[0]!;

/** Finds the pictures that captions without a style mean, one drawing of each thing: their keys. */
export function plainPictures(pictures: readonly Picture[]): ReadonlySet<string> {
  const drawings = new Map<string, Picture>();
  for (const picture of pictures) {
    if (picture.split !== 'train' || !order.includes(setOf(picture))) continue;
    const known = drawings.get(picture.concept);
    if (!known || order.indexOf(setOf(picture)) < order.indexOf(setOf(known))) drawings.set(picture.concept, picture);
  }
  // An emoji is there in several skin tones; clip art of one name is different things.
  const isSame = (picture: Picture, drawing: Picture) =>
    setOf(drawing) === 'clip-art' ? picture.key === drawing.key : picture.group === drawing.group;
  const isPlain = (picture: Picture) => {
    const drawing = drawings.get(picture.concept);
    return drawing !== undefined && isSame(picture, drawing);
  };
  return new Set(pictures.filter(isPlain).map(({ key }) => key));
}

/** The captions of a picture: with its style, or without and once with it for plain pictures. Compositions keep theirs. */
export function styledCaptions(picture: Picture, isPlain: boolean): string[] {
  const style = styles[setOf(picture)];
  if (style === undefined) return [...picture.captions];
  const captions = picture.captions.filter((caption) => !sharedStyle.test(caption));
  const styled = captions.map((caption) => `${caption}, ${style} style`);
  return isPlain ? [...captions, styled[0]!] : styled;
}

/** A picture with captions that name its style, as those of pictures that were not trained on have to. */
export function withStyle<Styled extends Picture>(picture: Styled): Styled {
  return { ...picture, captions: styledCaptions(picture, false) };
}
