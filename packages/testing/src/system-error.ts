/** Fails as the system does, with its code and the name of the call. */
export function fail(code: string, syscall: string): never {
  throw Object.assign(new Error(`${code}: injected, ${syscall}`), { code, syscall });
}
