/** A file of the model. */
export interface ModelFile {
  /** Its path within the model folder, such as `decoder/config.json`. */
  readonly name: string;
  readonly url: URL;
  /** Bytes. */
  readonly size: number;
  /** The checksum of its content, in hexadecimal digits. */
  readonly sha256: string;
}

/** The files of the model folder. */
export const files: readonly ModelFile[];
