import { convertAction, imageKind, unsupportedEndings } from '../image-formats.js';
import { captionFormats } from './captions.js';
import type { OmissionReason } from './listing.js';
import type { TarMember } from './tar-index.js';

/** The members of one sample. */
export interface MemberGroup {
  /** What the names of the members begin with, without the dot after it. */
  readonly stem: string;
  readonly image: TarMember;
  readonly text?: TarMember | undefined;
  readonly json?: TarMember | undefined;
}

/** Which members are images and captions: what follows the first dot of their names, such as `input.jpg`. */
export interface MemberEndings {
  readonly image?: string | undefined;
  readonly caption?: string | undefined;
}

/** The samples of an archive. */
export interface GroupedMembers {
  readonly groups: readonly MemberGroup[];
  readonly omissions: readonly { readonly stem: string; readonly reason: OmissionReason; readonly message: string }[];
  /** How often each choice was made that is to be told, such as `input.jpg was read as the image`. */
  readonly choices: ReadonlyMap<string, number>;
}

/** Limits of members in bytes, far above the usual images and captions. */
const imageByteLimit = 512 * 1024 ** 2;
const captionByteLimit = 1024 ** 2;

interface Part {
  readonly member: TarMember;
  /** What follows the first dot of the file name: `input.jpg`. */
  readonly ending: string;
  /** What is between the first and the last dot: `input`; empty for most. */
  readonly middle: string;
  readonly kind: 'image' | 'unsupported' | 'text' | 'json';
}

/**
 * Groups the members of an archive to samples. As in WebDataset, a sample's members have the same path up to the first dot of
 * the file name. Where images and captions of that path come in pairs with more in common (`IMG.2021.jpg`,
 * `IMG.2021.txt`), each pair is a sample.
 */
export function groupMembers(shard: string, members: readonly TarMember[], endings: MemberEndings): GroupedMembers {
  const byStem = new Map<string, Part[]>();
  for (const member of members) {
    const part = partOf(member, endings);
    if (part === undefined) continue;
    const stem = member.name.slice(0, member.name.length - part.ending.length - 1);
    const parts = byStem.get(stem);
    if (parts) parts.push(part);
    else byStem.set(stem, [part]);
  }
  const groups: MemberGroup[] = [];
  const omissions: { stem: string; reason: OmissionReason; message: string }[] = [];
  const choices = new Map<string, number>();
  for (const [stem, parts] of byStem) {
    const found = groupParts(shard, stem, parts, endings);
    for (const choice of found.choices) choices.set(choice, (choices.get(choice) ?? 0) + 1);
    for (const group of found.groups) {
      const large = tooLarge(shard, group);
      if (large === undefined) groups.push(group);
      else omissions.push({ stem: group.stem, reason: 'too-large', message: large });
    }
    omissions.push(...found.omissions.map(([reason, message, at = stem]) => ({ stem: at, reason, message })));
  }
  return { groups, omissions, choices };
}

function partOf(member: TarMember, endings: MemberEndings): Part | undefined {
  // Names of more than one dot have the middle.
  const ending = /^(?:.*\/)?[^/.]*\.([^/]*)$/s.exec(member.name)?.[1];
  if (ending === undefined) return undefined;
  const lower = ending.toLowerCase();
  const dot = lower.lastIndexOf('.');
  const last = lower.slice(dot + 1);
  const isCaption = endings.caption === undefined || lower === endings.caption;
  const format = captionFormats.get(`.${last}`) ?? (lower === endings.caption ? 'text' : undefined);
  const image = lower === endings.image ? 'supported' : imageKind(`.${last}`);
  const kind =
    image === undefined ? (isCaption ? format : undefined) : image === 'supported' ? 'image' : ('unsupported' as const);
  if (kind === undefined || (kind === 'image' && endings.image !== undefined && lower !== endings.image))
    return undefined;
  return { member, ending, middle: ending.slice(0, Math.max(0, dot)), kind };
}

type FoundOmission = readonly [reason: OmissionReason, message: string, stem?: string];

function groupParts(
  shard: string,
  stem: string,
  parts: readonly Part[],
  endings: MemberEndings,
): { groups: MemberGroup[]; omissions: FoundOmission[]; choices: string[] } {
  const groups: MemberGroup[] = [];
  const omissions: FoundOmission[] = [];
  const choices: string[] = [];
  const of = (kind: Part['kind']) => parts.filter((part) => part.kind === kind);
  const [images, texts, jsons] = [of('image'), of('text'), of('json')];
  const captions = [...texts, ...jsons];
  const done = () => ({ groups, omissions, choices });

  const twice = parts.find((part, i) => parts.some(({ member }, j) => j < i && member.name === part.member.name));
  if (twice) {
    omissions.push(['ambiguous', `${shard} has ${twice.member.name} twice. Repack it with unique names.`]);
    return done();
  }
  if (images.length === 0) {
    const [unsupported] = of('unsupported');
    if (unsupported) {
      const format = unsupportedEndings.get(`.${unsupported.ending.toLowerCase().replace(/^.*\./, '')}`);
      const message = `${unsupported.member.name} in ${shard} is a ${format} image, which cannot be read. ${convertAction}`;
      omissions.push(['unsupported-format', message]);
    } else if (captions.some(({ kind, middle }) => kind === 'text' || middle === '')) {
      const [caption] = captions as [Part];
      const image = `${stem}.${endings.image ?? 'jpg'}`;
      omissions.push([
        'no-image',
        `${shard} has the caption ${caption.member.name} without an image of the same name. Add an image such as ${image}, or remove the caption.`,
      ]);
    }
    return done();
  }
  const names = images.map(({ member }) => member.name).join(' and ');
  const ambiguous = `${shard} has several images of one sample: ${names}. Set the option image to the one to read, such as ${JSON.stringify(images[0]!.ending)}.`;
  const sameMiddle = ({ middle }: Part, among: readonly Part[]) => among.find((part) => part.middle === middle);
  const paired = images.filter((image) => sameMiddle(image, captions));
  if (new Set(paired.map(({ middle }) => middle)).size < paired.length) {
    omissions.push(['ambiguous', ambiguous]);
    return done();
  }
  const used = new Set<Part | undefined>();
  const add = (image: Part, text: Part | undefined, json: Part | undefined, name: string) => {
    for (const part of [image, text, json]) used.add(part);
    groups.push({ stem: name, image: image.member, text: text?.member, json: json?.member });
  };
  if (paired.length > 0) {
    for (const image of paired)
      add(
        image,
        sameMiddle(image, texts),
        sameMiddle(image, jsons),
        image.middle === '' ? stem : `${stem}.${image.middle}`,
      );
  } else if (images.length > 1) {
    omissions.push(captions.length > 0 ? ['ambiguous', ambiguous] : ['no-caption', noCaption(shard, images[0]!)]);
    return done();
  } else if (captions.length === 0) {
    omissions.push(['no-caption', noCaption(shard, images[0]!)]);
    return done();
  } else {
    const [image] = images as [Part];
    const text = texts.find(({ middle }) => middle === '') ?? texts[0];
    const json = jsons.find(({ middle }) => middle === '') ?? jsons[0];
    if (texts.length > 1 && text!.middle !== '') {
      const all = texts.map(({ member }) => member.name).join(' and ');
      const message = `${shard} has several texts of one sample: ${all}. Set the option caption to the one to read, such as ${JSON.stringify(text!.ending)}.`;
      omissions.push(['ambiguous', message]);
      return done();
    }
    if (endings.image === undefined || endings.caption === undefined)
      choices.push(`${image.ending} was read as the image, ${(text ?? json)!.ending} as its captions`);
    add(image, text, json, stem);
  }
  const hasPlain = groups.some((group) => group.stem === stem);
  for (const part of [...images, ...captions]) {
    if (used.has(part) || (part.kind === 'json' && part.middle !== '')) continue;
    if (part.kind === 'image' && !hasPlain)
      omissions.push(['no-caption', noCaption(shard, part), `${stem}.${part.middle}`]);
    else choices.push(`${part.ending} was not read`);
  }
  return done();
}

function noCaption(shard: string, { member, ending }: Part): string {
  const stem = member.name.slice(0, member.name.length - ending.length - 1);
  return `${shard} has ${member.name} but no caption for it. Add ${stem}.txt or ${stem}.json.`;
}

function tooLarge(shard: string, { image, text, json }: MemberGroup): string | undefined {
  const limits = [
    [image, imageByteLimit],
    [text, captionByteLimit],
    [json, captionByteLimit],
  ] as const;
  const over = limits.find(([member, limit]) => member !== undefined && member.size > limit);
  return (
    over &&
    `${over[0]!.name} in ${shard} must have at most ${over[1]} bytes, not ${over[0]!.size}. Repack it with smaller files.`
  );
}
