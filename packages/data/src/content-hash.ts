import { createHash } from 'node:crypto';

/** Hashes text or bytes: 96 bits of SHA-256, as 16 letters. */
export function hashOf(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('base64url').slice(0, 16);
}
