import {
  integer,
  list,
  OptionError,
  object,
  optional,
  readConfig,
  refuse,
  string,
  type TextEncoder,
  type TextEncoding,
} from '@dalle-mini/core';

/** The classes of a class-conditional decoder. */
export interface Classes {
  /** Number of classes. */
  readonly classes: number;
  /** Their names, which captions may have. Default: captions are numbers. */
  readonly names?: readonly string[] | undefined;
}

/** The field of {@link Classes}, for `readConfig`. */
export const classesField = object<Classes>(
  { classes: integer({ min: 1, max: 2 ** 25 }), names: optional(list(string())) },
  {
    check({ classes, names }, at) {
      if (names && names.length !== classes) refuse(at('names'), `${classes} names, one for each class`, names.length);
    },
  },
);

/** Encodes the number or the name of a class as a token, and the empty caption as no class: the token after all classes. */
export class ClassEncoder implements TextEncoder {
  readonly width = 0;
  readonly maxLength = 1;
  private readonly classes: number;
  private readonly ids: ReadonlyMap<string, number>;

  /** @throws ConfigError if there are not as many names as classes. */
  constructor(classes: Classes, source = 'classes') {
    const { names = [], classes: count } = readConfig(classesField, classes, source);
    this.classes = count;
    this.ids = new Map(names.map((name, id) => [name.toLowerCase(), id]));
  }

  /** @throws OptionError if a caption is not a class. */
  async encode(captions: readonly string[]): Promise<TextEncoding> {
    const tokens = Int32Array.from(captions, (caption) => this.idOf(caption));
    const batch = captions.length;
    const attentionMask = new Int32Array(batch).fill(1);
    return { tokens, attentionMask, hiddenStates: new Float32Array(), batch, length: 1, width: 0 };
  }

  private idOf(caption: string): number {
    const text = caption.trim().toLowerCase();
    const id = text === '' ? this.classes : (this.ids.get(text) ?? (/^\d{1,8}$/.test(text) ? Number(text) : -1));
    if (id >= 0 && id <= this.classes && (text === '' || id < this.classes)) return id;
    const named = this.ids.size > 0 ? ', or the name of a class' : '';
    throw new OptionError('prompt', `a class from 0 to ${this.classes - 1}${named}`, caption);
  }

  /** Does nothing: there is no model to free. */
  async dispose(): Promise<void> {}
}
