/** Explains why ONNX Runtime cannot be loaded, and what to do. */
import { installAdvice, isInArchive } from '@dalle-mini/core/node';

/** Why a package cannot be loaded. */
export interface LoadFailure {
  readonly error: Error;
  /** Whether the package was found, so that only loading failed. */
  readonly isInstalled: boolean;
}

/** The machine that a package is loaded on. */
export interface Machine {
  readonly platform: NodeJS.Platform;
  readonly arch: string;
  /** Whether the C library is musl, as on Alpine Linux. */
  readonly isMusl: boolean;
}

/** What onnxruntime-node 1.30 has libraries for. */
const supported = ['linux-x64', 'linux-arm64', 'darwin-arm64', 'win32-x64', 'win32-arm64'];

const installWeb = 'install its slower WebAssembly build with "npm install onnxruntime-web"';

/**
 * Returns the message of an error, in sentences.
 *
 * @param native Why `onnxruntime-node` cannot be loaded.
 * @param web Why `onnxruntime-web` cannot, if that was tried.
 */
export function explainUnavailable(native: LoadFailure, web?: LoadFailure, machine = thisMachine()): string {
  const fallback = web?.isInstalled ? ` onnxruntime-web cannot be loaded either: ${firstLine(web.error)}.` : '';
  return `ONNX Runtime cannot be loaded: ${reason(native, machine)}${fallback}`;
}

function reason({ error, isInstalled }: LoadFailure, { platform, arch, isMusl }: Machine): string {
  if (!isInstalled) return `the package onnxruntime-node is not found. ${installAdvice('onnxruntime-node')}`;
  const given = firstLine(error);
  if (isInArchive(given)) {
    return `the system loads no libraries from an archive of Electron (${given}). Add "**/node_modules/onnxruntime-node/**" to asarUnpack.`;
  }
  if (platform === 'darwin' && arch === 'x64') {
    return `since version 1.24, onnxruntime-node has no library for Macs with Intel processors. Set "overrides" in package.json to version 1.23.2, or ${installWeb}.`;
  }
  if (!supported.includes(`${platform}-${arch}`)) {
    return `onnxruntime-node has no library for ${platform} on ${arch}. Use another machine, or ${installWeb}.`;
  }
  if (platform === 'linux' && /GLIBC(XX)?_\d/.test(given)) {
    return `onnxruntime-node needs a newer glibc than this system has (${given}). Use Debian 12, Ubuntu 22.04 or later, or ${installWeb}.`;
  }
  if (platform === 'linux' && (isMusl || /ld-linux|Error relocating/.test(given))) {
    return `onnxruntime-node needs glibc, but Alpine Linux and similar systems have musl (${given}). Use an image that is based on Debian, such as node:24-bookworm-slim, or ${installWeb}.`;
  }
  return `the library of onnxruntime-node for ${platform} on ${arch} is missing or damaged (${given}). ${installAdvice('onnxruntime-node')}`;
}

function thisMachine(): Machine {
  const { platform, arch, report } = process;
  const { header } = (report?.getReport() ?? {}) as { readonly header?: { readonly glibcVersionRuntime?: string } };
  return { platform, arch, isMusl: platform === 'linux' && header !== undefined && !header.glibcVersionRuntime };
}

/** The first line of a message, without a final full stop. The next lines list the modules that require the missing one. */
const firstLine = ({ message }: Error): string => message.split('\n')[0]!.replace(/\.$/, '');
