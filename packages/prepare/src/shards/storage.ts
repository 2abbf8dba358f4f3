/** A place for the files of a data set. Files are written whole or not at all. */
export interface Storage {
  /** Lists the names of all files. */
  list(): Promise<ReadonlySet<string>>;
  /** Reads a file; `undefined` if it is missing. */
  read(name: string): Promise<Uint8Array | undefined>;
  /** Reads a file in parts. */
  parts(name: string): AsyncIterable<Uint8Array>;
  write(name: string, content: string | Uint8Array | AsyncIterable<Uint8Array>): Promise<void>;
  remove(name: string): Promise<void>;
  /** The path or address of a file, for messages. */
  placeOf(name: string): string;
}
