import { DalleMiniError } from '../errors.js';

/** The reason and the action for a system error, by its code. */
const actions: Readonly<Record<'read' | 'write', Readonly<Record<string, string>>>> = {
  read: {
    ENOENT: 'there is no such file. Check the path.',
    EISDIR: 'it is a folder. Pass the path of a file in it, such as model.safetensors.',
    EACCES: 'permission is denied. Allow this user to read it.',
    EPERM: 'permission is denied. Allow this user to read it.',
    ENOTDIR: 'a part of its path is a file, not a folder. Check the path.',
    EMFILE: 'too many files are open. Close some, or raise the limit (ulimit -n).',
  },
  write: {
    ENOENT: 'its folder does not exist. Create the folder first.',
    EISDIR: 'it is a folder. Pass the path of a file.',
    EEXIST: 'a file already exists at this path. Choose another path, or remove the file.',
    EACCES: 'permission is denied. Allow this user to write in the folder, or choose another one.',
    EPERM: 'permission is denied. Allow this user to write in the folder, or choose another one.',
    EROFS: 'the file system is read-only. Choose another folder.',
    ENOSPC: 'the disk is full. Free some space and try again; the old content is unchanged.',
    EDQUOT: 'the disk quota is used up. Free some space and try again; the old content is unchanged.',
    ENOTDIR: 'a part of its path is a file, not a folder. Check the path.',
    EMFILE: 'too many files are open. Close some, or raise the limit (ulimit -n).',
  },
};

/** A file or a folder cannot be read or written. The message names the path, the reason, and what to do. */
export class FileError extends DalleMiniError {
  static override readonly code = 'FILE';
  /** The system's error code, such as `ENOENT`; empty if the system reported no error. */
  readonly systemCode: string;

  /** @param cause The system's error, or the reason in words if the system reported none. */
  constructor(
    doing: 'read' | 'write',
    readonly path: string,
    cause: NodeJS.ErrnoException | string,
  ) {
    const { code = '', message } = typeof cause === 'string' ? { message: cause } : cause;
    super(`Cannot ${doing} ${path}: ${actions[doing][code] ?? message}`, typeof cause === 'string' ? {} : { cause });
    this.systemCode = code;
  }
}

/** Checks whether an error is a system error, such as those of `node:fs`. */
export function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && 'syscall' in error;
}

/** Checks whether an error means that a file or a folder does not exist. */
export function isMissing(error: unknown): boolean {
  const cause = error instanceof FileError ? error.cause : error;
  const { code } = (cause ?? {}) as NodeJS.ErrnoException;
  return code === 'ENOENT' || code === 'ENOTDIR';
}

/** Runs `work` and rethrows its system errors as a {@link FileError} that names `path`. */
export async function withFileErrors<Result>(
  doing: 'read' | 'write',
  path: string,
  work: () => Promise<Result>,
): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw isSystemError(error) ? new FileError(doing, path, error) : error;
  }
}
