/** A file that cannot be read or written. The message names the file, the cause and the remedy; `cause` is the system's error. */
export class FileError extends Error {
  override readonly name = 'FileError';
  /** The system's code, such as `ENOENT`. */
  readonly code: string;
  readonly path: string;

  constructor(doing: 'read' | 'write', path: string, cause: NodeJS.ErrnoException) {
    const code = cause.code ?? 'unknown';
    const remedy = REMEDIES[doing][code] ?? cause.message;
    super(`Cannot ${doing} ${path}: ${remedy}`, { cause });
    this.code = code;
    this.path = path;
  }
}

const REMEDIES: Record<'read' | 'write', Record<string, string>> = {
  read: {
    ENOENT: 'there is no such file. Check the path, or fetch the model first.',
    EISDIR: 'it is a folder. Pass the path of a file in it, such as model.safetensors.',
    EACCES: 'permission is denied. Give this user the right to read it.',
    EPERM: 'permission is denied. Give this user the right to read it.',
    ENOTDIR: 'a part of its path is a file where a folder is needed. Check the path.',
    EMFILE: 'too many files are open. Close some, or raise the limit (ulimit -n).',
  },
  write: {
    ENOENT: 'its folder does not exist. Create the folder first.',
    EISDIR: 'it is a folder. Pass the path of a file.',
    EACCES: 'permission is denied. Give this user the right to write in the folder.',
    EPERM: 'permission is denied. Give this user the right to write in the folder.',
    EROFS: 'the file system is read-only. Choose another folder.',
    ENOSPC: 'the disk is full. Free some space; what stood at this path before is untouched.',
    EDQUOT: 'the disk quota is used up. Free some space; what stood at this path before is untouched.',
    ENOTDIR: 'a part of its path is a file where a folder is needed. Check the path.',
    EMFILE: 'too many files are open. Close some, or raise the limit (ulimit -n).',
  },
};

/** Whether an error is the system's, as those of `node:fs` are. */
export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error;
}
