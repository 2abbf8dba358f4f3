/** Models as ONNX Runtime has optimized them for a machine, in files that it maps into memory instead of optimizing them again. */
import { createHash, randomUUID } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';

/** Where compiled models are kept. */
export interface CompiledModelCache {
  readonly folder: string;
  /** Those that were used least recently are deleted when all together are larger. The last one stays, whatever its size. */
  readonly maxBytes: number;
}

const modelFile = 'model.onnx';
const weightsFile = 'weights.bin';
/** What is left of a process that was killed while it wrote is deleted after an hour. */
const abandonedAfterMs = 3600e3;

/** What a model was optimized for: its weights are laid out for the processor's instructions. */
async function machine(): Promise<string> {
  // Where there is one: on virtual machines the name alone may stand for several processors.
  const info = await readFile('/proc/cpuinfo', 'utf8').catch(() => '');
  const lines = info.split('\n\n')[0]!.match(/^(model|cpu family|flags|Features|CPU part)\s*:.*$/gm) ?? [];
  return [ort.env.versions.node, process.platform, process.arch, cpus()[0]?.model, ...lines].join('\n');
}

/** A model that may have been compiled before. */
export interface ModelToOpen {
  /** Differs from that of every other model. */
  readonly identity: Uint8Array;
  /** Its bytes. They may take longer to write than what is kept takes to be found. */
  readonly bytes: () => Uint8Array;
}

/**
 * Opens a model whose parameters are in files: as it was compiled before or, if it was not, after compiling and keeping it. Where
 * nothing can be kept, it is opened all the same.
 *
 * @param parameterFiles paths of the files.
 * @param cache `alone` does what takes the memory to compile.
 */
export async function openCompiled(
  { identity, bytes }: ModelToOpen,
  parameterFiles: readonly string[],
  { folder, maxBytes, alone }: CompiledModelCache & { readonly alone: <T>(work: () => Promise<T>) => Promise<T> },
  options: ort.InferenceSession.SessionOptions,
): Promise<ort.InferenceSession> {
  const files = await Promise.all(
    parameterFiles.map(async (path) => {
      const { size, mtimeMs } = await stat(path);
      return `${path} ${size} ${mtimeMs}`;
    }),
  );
  const surroundings = [await machine(), options.executionProviders, ...files].join('\n');
  const kept = join(folder, createHash('sha256').update(surroundings).update(identity).digest('hex').slice(0, 32));
  const session = await openKept(kept, options);
  if (session) return session;
  const model = bytes();
  await alone(() => keep(model, kept, options));
  await prune(folder, kept, maxBytes).catch(() => undefined);
  // As every later start will have it, and without the memory that compiling took.
  return (await openKept(kept, options)) ?? ort.InferenceSession.create(model, options);
}

async function openKept(
  kept: string,
  options: ort.InferenceSession.SessionOptions,
): Promise<ort.InferenceSession | undefined> {
  const path = join(kept, modelFile);
  try {
    const now = new Date();
    await utimes(path, now, now);
  } catch {
    return undefined;
  }
  try {
    // Its parameters are beside it, wherever those of the model were.
    const { extra: _, ...others } = options;
    return await ort.InferenceSession.create(path, { ...others, graphOptimizationLevel: 'disabled' });
  } catch {
    await rm(kept, { recursive: true, force: true });
    return undefined;
  }
}

/** Compiles a model into a folder, which appears when it is whole. Where that cannot be done, or another process was faster, it leaves nothing. */
async function keep(model: Uint8Array, kept: string, options: ort.InferenceSession.SessionOptions): Promise<void> {
  const temporary = `${kept}.${randomUUID()}.tmp`;
  try {
    await mkdir(temporary, { recursive: true });
    const session = await ort.InferenceSession.create(model, {
      ...options,
      optimizedModelFilePath: join(temporary, modelFile),
      // It warns that the model fits this machine only.
      logSeverityLevel: 3,
      extra: {
        ...options.extra,
        session: {
          ...(options.extra?.session as object | undefined),
          optimized_model_external_initializers_file_name: weightsFile,
          optimized_model_external_initializers_min_size_in_bytes: '1024',
          save_external_prepacked_constant_initializers: '1',
        },
        // In a loop's body it names its constants alike, and the model that is written cannot be read.
        optimization: { disable_specified_optimizers: 'GatherSliceToSplitFusion' },
      },
    });
    await session.release();
    for (const name of await readdir(temporary)) {
      const file = await open(join(temporary, name), 'r+');
      await file.sync().finally(() => file.close());
    }
    await rename(temporary, kept);
  } catch {
    await rm(temporary, { recursive: true, force: true }).catch(() => undefined);
  }
}

/** Deletes the models that were used least recently, and what processes left that were killed. */
async function prune(folder: string, kept: string, maxBytes: number): Promise<void> {
  const entries = await Promise.all((await readdir(folder)).map((name) => weigh(join(folder, name))));
  let bytes = 0;
  for (const { path, size, usedMs } of entries.sort((a, b) => b.usedMs - a.usedMs)) {
    const isPartial = path.endsWith('.tmp');
    if (!isPartial) bytes += size;
    const isNeeded = isPartial ? usedMs > Date.now() - abandonedAfterMs : bytes <= maxBytes || path === kept;
    if (!isNeeded) await rm(path, { recursive: true, force: true });
  }
}

async function weigh(path: string) {
  const files = await Promise.all((await readdir(path)).map((name) => stat(join(path, name))));
  // Another thread may just have made the folder, and nothing in it yet.
  const dated = files.length > 0 ? files : [await stat(path)];
  return {
    path,
    size: files.reduce((sum, { size }) => sum + size, 0),
    usedMs: Math.max(...dated.map(({ mtimeMs }) => mtimeMs)),
  };
}
