/** Bits of a band at most: a table has 2 to the power of it entries. */
const mostBandBits = 16;

/**
 * Finds hashes of 64 bits that are like an earlier one, among millions. A hash is cut into one band more than bits may differ, so that one
 * band of two alike hashes is equal: only hashes with an equal band are compared. (Norouzi et al., Fast Search in Hamming Space with
 * Multi-Index Hashing, 2012.)
 */
export class SeenHashes {
  private readonly bands: number;
  private readonly bandBits: number;
  /** Both halves of each hash. */
  private halves = new Uint32Array(2 * 1024);
  private count = 0;
  /** The last hash of each value of each band, plus 1, and the hash before each hash in that. */
  private readonly last: Uint32Array;
  private before: Uint32Array;

  /** @param distance Most bits that alike hashes differ in, 0 to 7. */
  constructor(private readonly distance: number) {
    this.bands = distance + 1;
    this.bandBits = Math.min(mostBandBits, Math.floor(64 / this.bands));
    this.last = new Uint32Array(this.bands * 2 ** this.bandBits);
    this.before = new Uint32Array(this.bands * 1024);
  }

  /** Adds a hash of 16 hexadecimal digits, unless one like it is there. Returns whether it was added. */
  add(hex: string): boolean {
    const high = Number.parseInt(hex.slice(0, 8), 16);
    const low = Number.parseInt(hex.slice(8), 16);
    for (let band = 0; band < this.bands; band++) if (this.hasAlike(band, high, low)) return false;
    if (this.count * 2 === this.halves.length) this.grow();
    this.halves.set([high, low], this.count * 2);
    for (let band = 0; band < this.bands; band++) {
      const place = this.placeOf(band, high, low);
      this.before[this.count * this.bands + band] = this.last[place]!;
      this.last[place] = this.count + 1;
    }
    this.count++;
    return true;
  }

  private hasAlike(band: number, high: number, low: number): boolean {
    const { halves, before, bands, distance } = this;
    for (let next = this.last[this.placeOf(band, high, low)]!; next !== 0; next = before[(next - 1) * bands + band]!) {
      const differing = bitCount(halves[2 * next - 2]! ^ high) + bitCount(halves[2 * next - 1]! ^ low);
      if (differing <= distance) return true;
    }
    return false;
  }

  /** The entry of a band in {@link last}. */
  private placeOf(band: number, high: number, low: number): number {
    const start = band * this.bandBits;
    const mask = 2 ** this.bandBits - 1;
    const bits =
      start < 32 ? (low >>> start) | (start + this.bandBits > 32 ? high << (32 - start) : 0) : high >>> (start - 32);
    return band * 2 ** this.bandBits + (bits & mask);
  }

  private grow(): void {
    const twice = (old: Uint32Array) => {
      const larger = new Uint32Array(old.length * 2);
      larger.set(old);
      return larger;
    };
    this.halves = twice(this.halves) as Uint32Array<ArrayBuffer>;
    this.before = twice(this.before);
  }
}

/** Counts the bits that are set, of 32 (Hacker's Delight, 5-1). */
function bitCount(word: number): number {
  const pairs = word - ((word >>> 1) & 0x55555555);
  const fours = (pairs & 0x33333333) + ((pairs >>> 2) & 0x33333333);
  return Math.imul((fours + (fours >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
