import { makeFolder } from '@dalle-mini/core/node';
import type { S3Options } from '@dalle-mini/data';
import { FolderStorage } from './folder-storage.js';
import { S3Storage } from './s3-storage.js';
import type { Storage } from './storage.js';

/** Opens a folder, which it creates, or `s3://bucket/prefix`. */
export async function openStorage(out: string, s3: S3Options = {}): Promise<Storage> {
  if (out.startsWith('s3://')) return new S3Storage(out, s3);
  await makeFolder(out);
  return new FolderStorage(out);
}
