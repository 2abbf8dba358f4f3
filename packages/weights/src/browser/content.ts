/** The bytes of a file that have arrived. */
export class Content {
  length = 0;
  private bytes: Uint8Array<ArrayBuffer>;

  constructor(size = 2 ** 20) {
    this.bytes = new Uint8Array(size);
  }

  append(chunk: Uint8Array): void {
    const end = this.length + chunk.byteLength;
    if (end > this.bytes.byteLength) {
      const larger = new Uint8Array(Math.max(end, 2 * this.bytes.byteLength));
      larger.set(this.bytes);
      this.bytes = larger;
    }
    this.bytes.set(chunk, this.length);
    this.length = end;
  }

  part(start: number, end: number): Uint8Array<ArrayBuffer> {
    return this.bytes.subarray(start, end);
  }

  finish(): Uint8Array<ArrayBuffer> {
    return this.bytes.subarray(0, this.length);
  }
}
