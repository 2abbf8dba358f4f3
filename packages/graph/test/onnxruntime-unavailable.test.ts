import { expect, test } from 'vitest';
import { explainUnavailable, type LoadFailure } from '../src/runtimes/onnxruntime-unavailable.js';

const failed = (message: string): LoadFailure => ({ error: new Error(message), isInstalled: true });
const linux = { platform: 'linux', arch: 'x64', isMusl: false } as const;
const library = '/app/node_modules/onnxruntime-node/bin/napi-v6/linux/x64/onnxruntime_binding.node';

test.each([
  [
    'a missing package',
    { error: new Error("Cannot find package 'onnxruntime-node'"), isInstalled: false },
    linux,
    /is not found\. If a bundler .*serverExternalPackages.*npm install onnxruntime-node.*deploying\.md\.$/,
  ],
  [
    'musl',
    failed(`Error loading shared library ld-linux-x86-64.so.2: No such file (needed by ${library})`),
    { ...linux, isMusl: true },
    /needs glibc, but Alpine Linux .*Debian.*npm install onnxruntime-web/,
  ],
  [
    'an old glibc',
    failed(`/lib/libc.so.6: version \`GLIBC_2.34' not found (required by ${library})`),
    linux,
    /needs a newer glibc .*Debian 12.*npm install onnxruntime-web/,
  ],
  [
    'an Intel Mac',
    failed("Cannot find module '../bin/napi-v6/darwin/x64/onnxruntime_binding.node'\nRequire stack:\n- x.js"),
    { platform: 'darwin', arch: 'x64', isMusl: false },
    /no library for Macs with Intel processors\. Set "overrides" .*1\.23\.2/,
  ],
  [
    'another system',
    failed("Cannot find module '../bin/napi-v6/freebsd/x64/onnxruntime_binding.node'"),
    { platform: 'freebsd', arch: 'x64', isMusl: false },
    /no library for freebsd on x64\. /,
  ],
  [
    'a container without the library',
    failed('libonnxruntime.so.1: cannot open shared object file: No such file or directory'),
    linux,
    /the library of onnxruntime-node for linux on x64 is missing or damaged \(libonnxruntime.*outputFileTracingIncludes/,
  ],
  [
    'an archive of Electron',
    failed('/opt/app.asar/node_modules/onnxruntime-node/x.node: cannot open shared object file'),
    linux,
    /from an archive of Electron .*asarUnpack/,
  ],
] as const)('names the reason and what to do: %s', (_, failure, machine, expected) => {
  const message = explainUnavailable(failure, undefined, machine);
  expect(message).toMatch(/^ONNX Runtime cannot be loaded: /);
  expect(message).toMatch(expected);
  expect(message).not.toMatch(/\n|\.\./);
});

test('says why the WebAssembly build cannot be loaded either, if it is installed', () => {
  expect(explainUnavailable(failed('no'), failed('damaged'), linux)).toMatch(
    / onnxruntime-web cannot be loaded either: damaged\.$/,
  );
  const absent = { error: new Error('absent'), isInstalled: false };
  expect(explainUnavailable(failed('no'), absent, linux)).not.toMatch(/absent/);
});
