/** The `post_processor` of `tokenizer.json`, which adds special tokens to both ends of a caption. */
import { boolean, type Field, integer, list, object, oneOf, optional, refuse, string } from '@dalle-mini/core';
import { kinds } from './sequence.js';
import { largestId } from './vocabulary.js';

/** A special token that a post-processor adds, and the field that names it. */
export interface SpecialToken {
  readonly token: string;
  readonly id: number;
  readonly path: string;
}

/** The special tokens that a post-processor adds before and after a caption. */
export interface PostProcessor {
  readonly type: 'BertProcessing' | 'ByteLevel' | 'RobertaProcessing' | 'Sequence' | 'TemplateProcessing';
  readonly before: readonly SpecialToken[];
  readonly after: readonly SpecialToken[];
}

const idField = integer({ max: largestId });

/** A token and its id in a list. */
const namedToken: Field<SpecialToken> = {
  expected: 'a list of a token and its id',
  isOptional: false,
  read(value, path) {
    if (!Array.isArray(value) || value.length !== 2) return refuse(path, this.expected, value);
    return {
      token: string().read(value[0], `${path}[0]`),
      id: idField.read(value[1], `${path}[1]`),
      path: `${path}[1]`,
    };
  },
};

const framing = (type: 'BertProcessing' | 'RobertaProcessing'): Field<PostProcessor> => {
  const file = object({
    type: oneOf([type]),
    sep: namedToken,
    cls: namedToken,
    // Both move offsets only.
    trim_offsets: optional(boolean()),
    add_prefix_space: optional(boolean()),
  });
  return {
    ...(file as unknown as Field<PostProcessor>),
    read(value, path) {
      const { cls, sep } = file.read(value, path);
      return { type, before: [cls], after: [sep] };
    },
  };
};

const offsetsFile = object({
  type: oneOf(['ByteLevel']),
  add_prefix_space: optional(boolean()),
  trim_offsets: optional(boolean()),
  use_regex: optional(boolean()),
});

/** Hidden states are of captions of type 0 only. */
const typeField = oneOf([0]);
const templatePart = object({
  Sequence: optional(object({ id: oneOf(['A']), type_id: typeField })),
  SpecialToken: optional(object({ id: string(), type_id: typeField })),
});
const templateToken = object({
  id: string(),
  ids: list(idField, { max: 1000 }),
  tokens: list(string(), { max: 1000 }),
});

const templateFile = object({
  type: oneOf(['TemplateProcessing']),
  single: list(templatePart, { max: 1000 }),
  // Of two texts; captions are one.
  pair: optional({ expected: 'a list', isOptional: false, read: (value: unknown) => value }),
  special_tokens: { expected: 'an object', isOptional: false, read: (value: unknown) => value },
});

const templateField: Field<PostProcessor> = {
  ...(templateFile as unknown as Field<PostProcessor>),
  read(value, path) {
    const { single, special_tokens } = templateFile.read(value, path);
    const places = single.flatMap(({ Sequence }, index) => (Sequence === undefined ? [] : [index]));
    if (places.length !== 1) refuse(`${path}.single`, 'a list with the caption, the sequence A, once', single);
    const tokensOf = (from: number, to: number) =>
      single.slice(from, to).flatMap(({ SpecialToken }, index): SpecialToken[] => {
        const at = `${path}.single[${from + index}]`;
        if (SpecialToken === undefined) return refuse(at, 'a Sequence or a SpecialToken', single[from + index]);
        const tokenAt = `${path}.special_tokens[${JSON.stringify(SpecialToken.id)}]`;
        const known = typeof special_tokens === 'object' && special_tokens !== null;
        const given =
          known && Object.hasOwn(special_tokens, SpecialToken.id)
            ? (special_tokens as Record<string, unknown>)[SpecialToken.id]
            : undefined;
        const { ids, tokens } = templateToken.read(given, tokenAt);
        if (ids.length !== tokens.length) refuse(`${tokenAt}.ids`, `a list of ${tokens.length} ids`, ids);
        return ids.map((id, i) => ({ id, token: tokens[i]!, path: `${tokenAt}.ids[${i}]` }));
      });
    const place = places[0]!;
    return {
      type: 'TemplateProcessing',
      before: tokensOf(0, place),
      after: tokensOf(place + 1, single.length),
    };
  },
};

export const postProcessorField: Field<PostProcessor> = kinds<PostProcessor>((items) => {
  const file = object({ type: oneOf(['Sequence']), processors: items });
  return {
    BertProcessing: framing('BertProcessing'),
    RobertaProcessing: framing('RobertaProcessing'),
    TemplateProcessing: templateField,
    ByteLevel: {
      ...(offsetsFile as unknown as Field<PostProcessor>),
      read(value, path) {
        offsetsFile.read(value, path);
        return { type: 'ByteLevel', before: [], after: [] };
      },
    },
    Sequence: {
      ...(file as unknown as Field<PostProcessor>),
      read(value, path) {
        const { processors } = file.read(value, path);
        // The reference reads what the first one adds as further texts.
        if (processors.filter(({ before, after }) => before.length + after.length > 0).length > 1)
          refuse(`${path}.processors`, 'a list of which one adds special tokens', processors);
        return {
          type: 'Sequence',
          before: processors.flatMap(({ before }) => before),
          after: processors.flatMap(({ after }) => after),
        };
      },
    },
  };
});
