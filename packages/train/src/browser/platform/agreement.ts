/** A browser is one host, which agrees with itself. */
export async function agree(): Promise<void> {}
