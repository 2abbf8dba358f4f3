/** What runs use of `node:crypto`. */
import { sha256 } from '@noble/hashes/sha2.js';
import { bytesToHex } from '@noble/hashes/utils.js';

export function createHash(_: 'sha256') {
  const hash = sha256.create();
  const digests = {
    update(data: string | Uint8Array) {
      hash.update(typeof data === 'string' ? new TextEncoder().encode(data) : data);
      return digests;
    },
    digest(encoding: 'hex' | 'base64url'): string {
      const bytes = hash.digest();
      if (encoding === 'hex') return bytesToHex(bytes);
      return btoa(String.fromCharCode(...bytes))
        .replaceAll('+', '-')
        .replaceAll('/', '_')
        .replace(/=+$/, '');
    },
  };
  return digests;
}
