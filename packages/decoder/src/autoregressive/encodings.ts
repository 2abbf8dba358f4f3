/** Checks encodings of captions, and joins them into one batch. */
import { OptionError, type TextEncoding } from '@dalle-mini/core';
import type { TensorData } from '@dalle-mini/graph';
import type { Encodings } from './model.js';

/**
 * Checks an encoding as hidden states.
 *
 * @param textLength The largest number of tokens. Default: any.
 * @throws OptionError that names a field which is wrong.
 */
export function checkHiddenStates(
  name: string,
  encoding: TextEncoding,
  textWidth: number,
  textLength = Number.POSITIVE_INFINITY,
): void {
  const { batch, length, width, hiddenStates, attentionMask } = encoding;
  const check = (field: keyof TextEncoding, allowed: boolean, expected: string, given: unknown = encoding[field]) => {
    if (!allowed) throw new OptionError(`${name}.${field}`, expected, given);
  };
  check('width', width === textWidth, `${textWidth}, the width of the text encoder that this decoder was trained with`);
  check('batch', batch >= 1, 'at least 1');
  check('length', length >= 1, 'at least 1');
  check('length', length <= textLength, `at most ${textLength}, the length of captions of this decoder`);
  const size = batch * length;
  const shape = `[${batch}, ${length}, ${width}]`;
  const states = hiddenStates.length;
  check('hiddenStates', states === size * width, `${size * width} numbers, of shape ${shape}`, states);
  check(
    'attentionMask',
    attentionMask.length === size,
    `${size} numbers, of shape [${batch}, ${length}]`,
    attentionMask.length,
  );
}

/** Lists the encodings of all sequences: those of the images, and with guidance the unconditional one for each. */
export function sequencesOf({ text, guided, unconditional }: Encodings): TextEncoding[] {
  return guided && unconditional ? [text, ...Array<TextEncoding>(text.batch).fill(unconditional)] : [text];
}

/** Joins the captions of several encodings into one batch, padded at the end to the same length. */
export function joinHiddenStates(
  encodings: Encodings,
  length: number,
): Record<'hiddenStates' | 'attentionMask', TensorData> {
  const all = sequencesOf(encodings);
  const batch = all.reduce((sum, encoding) => sum + encoding.batch, 0);
  const { width } = encodings.text;
  const hiddenStates = new Float32Array(batch * length * width);
  const attentionMask = new Int32Array(batch * length);
  let sequence = 0;
  for (const encoding of all) {
    for (let i = 0; i < encoding.batch; i++, sequence++) {
      const [start, end] = [i * encoding.length, (i + 1) * encoding.length];
      hiddenStates.set(encoding.hiddenStates.subarray(start * width, end * width), sequence * length * width);
      attentionMask.set(encoding.attentionMask.subarray(start, end), sequence * length);
    }
  }
  return {
    hiddenStates: { dtype: 'float32', shape: [batch, length, width], data: hiddenStates },
    attentionMask: { dtype: 'int32', shape: [batch, length], data: attentionMask },
  };
}

/** What a decoder that reads token ids expects. */
export interface ExpectedTokens {
  readonly vocabularySize: number;
  readonly length: number;
  /** Whether captions must be padded to `length`. Otherwise they may be shorter. */
  readonly padded: boolean;
}

/**
 * Checks an encoding as token ids.
 *
 * @throws OptionError that names a field which is wrong.
 */
export function checkTokens(name: string, encoding: TextEncoding, expected: ExpectedTokens): void {
  const { batch, length, tokens, attentionMask } = encoding;
  if (!tokens)
    throw new OptionError(`${name}.tokens`, 'token ids. Use the tokenizer that this decoder was trained with', tokens);
  if (batch < 1) throw new OptionError(`${name}.batch`, 'at least 1', batch);
  if (expected.padded ? length !== expected.length : length < 1 || length > expected.length)
    throw new OptionError(
      `${name}.length`,
      expected.padded ? `${expected.length}, to which captions are padded` : `1 to ${expected.length}`,
      length,
    );
  const shape = `${batch * length} numbers, of shape [${batch}, ${length}]`;
  if (tokens.length !== batch * length) throw new OptionError(`${name}.tokens`, shape, tokens.length);
  if (attentionMask.length !== batch * length)
    throw new OptionError(`${name}.attentionMask`, shape, attentionMask.length);
  const unknown = tokens.find((token) => token < 0 || token >= expected.vocabularySize);
  if (unknown !== undefined)
    throw new OptionError(`${name}.tokens`, `from 0 to ${expected.vocabularySize - 1}`, unknown);
}

/** Joins the token ids of several encodings into one batch, padded at the end to the same length. */
export function joinTokens(encodings: Encodings, length: number): Record<'ids' | 'attentionMask', TensorData> {
  const all = sequencesOf(encodings);
  const batch = all.reduce((sum, encoding) => sum + encoding.batch, 0);
  const join = (of: (encoding: TextEncoding) => Int32Array): TensorData => {
    const data = new Int32Array(batch * length);
    let sequence = 0;
    for (const encoding of all) {
      for (let i = 0; i < encoding.batch; i++, sequence++) {
        data.set(of(encoding).subarray(i * encoding.length, (i + 1) * encoding.length), sequence * length);
      }
    }
    return { dtype: 'int32', shape: [batch, length], data };
  };
  return { ids: join(({ tokens }) => tokens!), attentionMask: join(({ attentionMask }) => attentionMask) };
}
