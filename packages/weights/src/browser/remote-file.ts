/** A file of a website. */
export interface RemoteFile {
  /** Its path within the model, such as `decoder/config.json`. */
  readonly name: string;
  readonly url: string;
  /** Bytes. Unknown if the host does not tell it, or compresses the file. */
  readonly size?: number | undefined;
  /** The checksum of its content, in hexadecimal digits: a SHA-256, or the SHA-1 of git. */
  readonly checksum?: string | undefined;
  /** What changes when the file does, of a file without a checksum. */
  readonly version?: string | undefined;
}
