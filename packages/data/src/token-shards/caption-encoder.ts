import { implementation, OptionError, type TextEncoder } from '@dalle-mini/core';

/** The text encoder of stored hidden states. */
export interface CaptionEncoder {
  /** What it was called when the captions were encoded, for messages. */
  readonly name?: string | undefined;
  /** `fingerprint` of the encoder. */
  readonly sha256: string;
  /** Number of tokens that captions are truncated to. */
  readonly maxLength: number;
  /** Width of a hidden state. */
  readonly width: number;
}

/**
 * Describes a text encoder.
 *
 * @throws OptionError if it has no hidden states, or no fingerprint.
 */
export async function captionEncoderOf(encoder: TextEncoder, name?: string | undefined): Promise<CaptionEncoder> {
  const { fingerprint, width, maxLength } = implementation<TextEncoder>('a text encoder', ['encode']).read(
    encoder,
    'encoder',
  );
  if (width === 0)
    throw new OptionError('encoder.width', 'at least 1: an encoder that only tokenizes has no hidden states', width);
  if (!fingerprint) throw new OptionError('encoder.fingerprint', 'a function, which tells encoders apart', fingerprint);
  return { name, sha256: await encoder.fingerprint!(), maxLength, width };
}

/** Describes an encoder in a message. */
export function describeEncoder({ name = 'a text encoder', sha256, maxLength, width }: CaptionEncoder): string {
  return `${name} (SHA-256 ${sha256.slice(0, 12)}…, ${maxLength} tokens, width ${width})`;
}

/** Whether hidden states of one are those of the other. */
export function isSameEncoder(one: CaptionEncoder, other: CaptionEncoder): boolean {
  return one.sha256 === other.sha256 && one.maxLength === other.maxLength && one.width === other.width;
}
