/** Structs that several calls take. */
import type { StableHloModule } from '@dalle-mini/graph/stablehlo';
import { valueTypes } from './abi.js';
import type { PjrtLibrary, Struct } from './library.js';

/** Options of a plugin, by the names that it documents. */
export type PluginOptions = Readonly<Record<string, string | number | boolean>>;

const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text);

/** Returns options as an array of structs in memory, and the structs, which own what the array points to. */
export function namedValues(
  library: PjrtLibrary,
  options: PluginOptions,
): { readonly list: Uint8Array; readonly values: readonly Struct[] } {
  const values = Object.entries(options).map(([name, value]) => namedValue(library, name, value));
  const size = values[0]?.bytes.length ?? 0;
  const list = new Uint8Array(Math.max(values.length * size, 1));
  const view = new DataView(list.buffer);
  for (const [i, value] of values.entries()) {
    list.set(value.bytes, i * size);
    // An element of an array has the size of the header.
    view.setBigUint64(i * size, BigInt(size), true);
  }
  return { list, values };
}

function namedValue(library: PjrtLibrary, name: string, value: string | number | boolean): Struct {
  const [bytes, text] = [utf8(name), typeof value === 'string' ? utf8(value) : undefined];
  return library.struct('namedValue', {
    name: bytes,
    nameSize: bytes.length,
    type: text ? valueTypes.string : typeof value === 'number' ? valueTypes.int64 : valueTypes.bool,
    value: text ?? BigInt(Number(value)),
    valueSize: text?.length ?? 1,
  });
}

/** Returns a module as a program to compile. */
export function programOf(library: PjrtLibrary, module: StableHloModule): Struct {
  const [code, format] = [utf8(module.text), utf8('mlir')];
  return library.struct('program', { code, codeSize: code.length, format, formatSize: format.length });
}
