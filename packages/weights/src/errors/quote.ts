/** A name for a message, shortened: a hostile file must not fill the log. */
export function quote(name: string): string {
  return JSON.stringify(name.length > 100 ? `${name.slice(0, 100)}…` : name);
}

/** A list of sizes for a message, shortened: a hostile file must not fill the log. */
export function listText(sizes: readonly number[]): string {
  return sizes.length > 12 ? `[${sizes.slice(0, 12)},… ${sizes.length} numbers]` : `[${sizes}]`;
}
