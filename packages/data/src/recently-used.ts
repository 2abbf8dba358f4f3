/** Values that are made when they are needed. Those that were used last stay in memory. */
export class RecentlyUsed<Key, Value> {
  private readonly values = new Map<Key, Promise<Value>>();

  /** @param most Most values that stay. */
  constructor(private readonly most: number) {}

  /** Returns the value of a key, which is made if it is not there. One that fails is made again at the next call. */
  get(key: Key, make: () => Promise<Value>): Promise<Value> {
    const value = this.values.get(key) ?? make();
    // Deleting it first moves it to the end of the map, away from the values that are dropped.
    this.values.delete(key);
    this.values.set(key, value);
    value.catch(() => this.values.delete(key));
    for (const oldest of this.values.keys()) {
      if (this.values.size <= this.most) break;
      this.values.delete(oldest);
    }
    return value;
  }

  delete(key: Key): void {
    this.values.delete(key);
  }
}
