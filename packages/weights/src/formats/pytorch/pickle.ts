import { quote } from '@dalle-mini/core';
import { CheckpointError } from '../../errors/checkpoint-error.js';
import { pythonName } from '../../errors/lists.js';
import { type Cursor, uint64 } from '../byte-source.js';

/**
 * A pickle of Python is a program for a stack machine, and may import and call any function. This machine has the
 * opcodes that build data, of protocols 0 to 5, and calls only the functions that its caller defines. All other objects
 * become an {@link Opaque}, which has only a name.
 */

/** A value of a pickle. Lists, tuples and sets are arrays. Integers past 2⁵³ are bigints. */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | PickleValue[]
  | PickleDict
  | Global
  | Opaque
  | Foreign;

/** A dict: its keys and values, alternating, in the order in which they were set. */
export class PickleDict {
  readonly items: PickleValue[] = [];
}

/** The name of a function or a class, `module.name`. It was not imported. */
export class Global {
  constructor(readonly name: string) {}
}

/** An object that was not built. The name is that of the function or the class that would have built it. */
export class Opaque {
  /** The attributes of a module of TorchScript, which are data. Other objects are not kept. */
  attributes: PickleDict | undefined;

  constructor(readonly name: string) {}
}

/** The base of the objects that the caller's functions build. */
export abstract class Foreign {}

/** The functions and types that a pickle may name. */
export interface PickleNames {
  /** Functions by name. Only these are called. */
  readonly calls: ReadonlyMap<string, (args: readonly PickleValue[]) => PickleValue>;
  /** Names that are allowed but never called, such as those of types. */
  readonly known: ReadonlySet<string>;
  /** Returns the object of a persistent id, which is stored outside of the pickle. */
  persistent(id: PickleValue): PickleValue;
}

export interface Unpickled {
  readonly value: PickleValue;
  /** Names in the pickle that `PickleNames` does not have, in the order of their use. */
  readonly unknownNames: readonly string[];
}

/** Each instruction may create a small object. A state dict takes about 50 of them for a tensor. */
const maxInstructions = 1_000_000;
const maxLineLength = 512;
const maxUnknownNames = 1000;

/**
 * Reads one pickle. The cursor is at its end afterwards.
 * @throws CheckpointError if the program is truncated, malformed, too long, or has an instruction of another protocol.
 */
export function unpickle(cursor: Cursor, names: PickleNames): Unpickled {
  return new PickleMachine(cursor, names).run();
}

class PickleMachine {
  private readonly stack: PickleValue[] = [];
  /** Height of the stack at each open mark. */
  private readonly marks: number[] = [];
  private readonly memo = new Map<number, PickleValue>();
  private readonly unknownNames = new Set<string>();
  private opcodeStart = 0;

  constructor(
    private readonly cursor: Cursor,
    private readonly names: PickleNames,
  ) {}

  run(): Unpickled {
    const { cursor } = this;
    for (let count = 0; count < maxInstructions; count++) {
      this.opcodeStart = cursor.position;
      const opcode = cursor.byte();
      if (opcode === stopOpcode) {
        const value = this.pop();
        return { value, unknownNames: [...this.unknownNames] };
      }
      this.execute(opcode);
    }
    throw new CheckpointError(
      `The pickle must have at most ${maxInstructions} instructions. Save only a state dict: torch.save(model.state_dict(), path).`,
    );
  }

  private execute(opcode: number): void {
    const { cursor, stack, marks } = this;
    switch (String.fromCharCode(opcode)) {
      case '\x80': {
        const protocol = cursor.byte();
        if (protocol > 5) this.refuse(`has protocol ${protocol}, and only 0 to 5 are supported`);
        return;
      }
      case '\x95': // FRAME, whose length only helps to read ahead.
        cursor.skip(8);
        return;
      case '(':
        marks.push(stack.length);
        return;
      case '0':
        this.pop();
        return;
      case '1':
        this.popMark();
        return;
      case '2': {
        const top = this.pop();
        stack.push(top, top);
        return;
      }

      case 'N':
        stack.push(null);
        return;
      case '\x88':
        stack.push(true);
        return;
      case '\x89':
        stack.push(false);
        return;
      case 'J':
        stack.push(cursor.view(4).getInt32(0, true));
        return;
      case 'K':
        stack.push(cursor.byte());
        return;
      case 'M':
        stack.push(cursor.view(2).getUint16(0, true));
        return;
      case '\x8a':
        stack.push(longInteger(cursor.take(cursor.byte())));
        return;
      case 'G':
        stack.push(cursor.view(8).getFloat64(0));
        return;

      case '\x8c':
        stack.push(cursor.text(cursor.byte()));
        return;
      case 'X':
        stack.push(cursor.text(this.length(4)));
        return;
      case '\x8d':
        stack.push(cursor.text(this.length(8)));
        return;
      case 'U': // Text of Python 2, whose encoding is not known.
        stack.push(latin1(cursor.take(cursor.byte())));
        return;
      case 'T':
        stack.push(latin1(cursor.take(this.length(4))));
        return;
      case 'C':
        cursor.skip(cursor.byte());
        stack.push(opaqueBytes);
        return;
      case 'B':
        cursor.skip(this.length(4));
        stack.push(opaqueBytes);
        return;
      case '\x8e':
      case '\x96':
        cursor.skip(this.length(8));
        stack.push(opaqueBytes);
        return;

      case ')':
      case ']':
      case '\x8f':
        stack.push([]);
        return;
      case '}':
        stack.push(new PickleDict());
        return;
      case '\x85':
        stack.push(this.popMany(1));
        return;
      case '\x86':
        stack.push(this.popMany(2));
        return;
      case '\x87':
        stack.push(this.popMany(3));
        return;
      case 't':
      case 'l':
      case '\x91': {
        const items = this.popMark();
        stack.push(items);
        return;
      }
      case 'd': {
        const dict = new PickleDict();
        const items = this.popMark();
        stack.push(dict);
        this.setItems(items);
        return;
      }
      case 'a':
        this.append(this.popMany(1));
        return;
      case 'e':
      case '\x90':
        this.append(this.popMark());
        return;
      case 's':
        this.setItems(this.popMany(2));
        return;
      case 'u':
        this.setItems(this.popMark());
        return;

      case 'q':
        this.memo.set(cursor.byte(), this.top());
        return;
      case 'r':
        this.memo.set(this.length(4), this.top());
        return;
      case '\x94':
        this.memo.set(this.memo.size, this.top());
        return;
      case 'h':
        this.recall(cursor.byte());
        return;
      case 'j':
        this.recall(this.length(4));
        return;

      case 'c': {
        const module = this.line();
        stack.push(this.global(module, this.line()));
        return;
      }
      case '\x93': {
        const [module, name] = this.popMany(2);
        if (typeof module !== 'string' || typeof name !== 'string')
          this.refuse('names a global with something other than text');
        stack.push(this.global(module, name));
        return;
      }
      case 'R':
      case '\x81': {
        const [callable, args] = this.popMany(2);
        if (!Array.isArray(args)) this.refuse('calls a function with arguments that are not a tuple');
        stack.push(this.call(callable!, args));
        return;
      }
      case '\x92': {
        const [type] = this.popMany(3);
        stack.push(opaque(type!));
        return;
      }
      case 'b': {
        // The state of an object.
        const state = this.pop();
        const target = this.top();
        if (target instanceof Opaque && state instanceof PickleDict && target.name.startsWith('__torch__.'))
          target.attributes = state;
        return;
      }
      case 'Q':
        stack.push(this.names.persistent(this.pop()));
        return;

      default:
        this.executeText(opcode);
    }
  }

  /** Executes an opcode of protocols 0 and 1, whose arguments are lines of text. */
  private executeText(opcode: number): void {
    const { stack, marks } = this;
    switch (String.fromCharCode(opcode)) {
      case 'I': {
        const text = this.line();
        stack.push(text === '01' ? true : text === '00' ? false : this.number(text, /^-?\d{1,19}$/));
        return;
      }
      case 'L':
        stack.push(this.number(this.line().replace(/L$/, ''), /^-?\d{1,300}$/));
        return;
      case 'F':
        stack.push(Number(this.line()));
        return;
      case 'S':
        stack.push(this.line().replace(/^(['"])(.*)\1$/s, '$2'));
        return;
      case 'V':
        stack.push(
          this.line().replace(/\\u([\da-f]{4})/gi, (_, code) => String.fromCharCode(Number.parseInt(code, 16))),
        );
        return;
      case 'p':
        this.memo.set(Number(this.line()), this.top());
        return;
      case 'g':
        this.recall(Number(this.line()));
        return;
      case 'i': {
        const module = this.line();
        const type = this.global(module, this.line());
        this.popMark();
        stack.push(opaque(type));
        return;
      }
      case 'o': {
        if (stack.length <= (marks.at(-1) ?? 0)) this.refuse('takes a value from an empty stack');
        const [type] = this.popMark();
        stack.push(opaque(type!));
        return;
      }
      case 'P':
        throw new CheckpointError(
          'The pickle has protocol 0, with which PyTorch cannot load its tensors either. Save the model again with the default protocol.',
        );
      default:
        this.refuse(`has the opcode 0x${opcode.toString(16)}, which pickles of plain data do not have`);
    }
  }

  private global(module: string, name: string): Global {
    const fullName = `${module}.${name}`;
    if (fullName.length > maxLineLength) this.refuse(`has a name of ${fullName.length} characters`);
    if (!this.names.calls.has(fullName) && !this.names.known.has(fullName)) {
      if (this.unknownNames.size < maxUnknownNames) this.unknownNames.add(fullName);
    }
    return new Global(fullName);
  }

  private call(callable: PickleValue, args: readonly PickleValue[]): PickleValue {
    const meaning = callable instanceof Global ? this.names.calls.get(callable.name) : undefined;
    return meaning === undefined ? opaque(callable) : meaning(args);
  }

  private append(items: readonly PickleValue[]): void {
    const target = this.top();
    if (target instanceof Opaque) return;
    if (!Array.isArray(target)) this.refuse('appends to a value that is not a list');
    for (const item of items) target.push(item);
  }

  private setItems(items: readonly PickleValue[]): void {
    const target = this.top();
    if (items.length % 2 !== 0) this.refuse('sets a key without a value');
    if (target instanceof Opaque) return;
    if (!(target instanceof PickleDict)) this.refuse('sets items of a value that is not a dict');
    for (const item of items) target.items.push(item);
  }

  private recall(index: number): void {
    const value = this.memo.get(index);
    if (value === undefined) this.refuse(`reads the memo ${index}, which it has not written`);
    this.stack.push(value);
  }

  private top(): PickleValue {
    if (this.stack.length <= (this.marks.at(-1) ?? 0)) this.refuse('takes a value from an empty stack');
    return this.stack.at(-1)!;
  }

  private pop(): PickleValue {
    const value = this.top();
    this.stack.pop();
    return value;
  }

  private popMany(count: number): PickleValue[] {
    const start = this.stack.length - count;
    if (start < (this.marks.at(-1) ?? 0)) this.refuse('takes a value from an empty stack');
    return this.stack.splice(start);
  }

  private popMark(): PickleValue[] {
    const height = this.marks.pop();
    if (height === undefined) this.refuse('closes a mark that it has not set');
    return this.stack.splice(height);
  }

  private number(text: string, form: RegExp): number | bigint {
    if (!form.test(text)) this.refuse(`has ${quote(text)} as a whole number`);
    return narrow(BigInt(text));
  }

  private length(width: 4 | 8): number {
    const view = this.cursor.view(width);
    return width === 4 ? view.getUint32(0, true) : uint64(view, 0, true, 'A length in the pickle');
  }

  /** Reads text up to the end of a line, as names of globals and the arguments of protocol 0 are stored. */
  private line(): string {
    const bytes: number[] = [];
    for (let byte = this.cursor.byte(); byte !== 0x0a; byte = this.cursor.byte()) {
      if (bytes.push(byte) > maxLineLength) this.refuse('has a name without an end');
    }
    return latin1(Uint8Array.from(bytes));
  }

  private refuse(fault: string): never {
    throw new CheckpointError(
      `The pickle at byte ${this.opcodeStart} ${fault}. The file is corrupt, or torch.save did not write it. Download it again.`,
    );
  }
}

const stopOpcode = 0x2e;

/** A state dict has no bytes: their content is skipped. */
const opaqueBytes = new Opaque('bytes');

const latin1Decoder = new TextDecoder('latin1');

function latin1(bytes: Uint8Array): string {
  return latin1Decoder.decode(bytes);
}

/** Decodes a little-endian integer in two's complement, of at most 255 bytes. */
function longInteger(bytes: Uint8Array): number | bigint {
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]!);
  return narrow(BigInt.asIntN(8 * bytes.length, value));
}

function narrow(value: bigint): number | bigint {
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

/** Returns the placeholder of an object that a value would have built. */
function opaque(builder: PickleValue): Opaque {
  return new Opaque(builder instanceof Global || builder instanceof Opaque ? builder.name : describe(builder));
}

/** Describes a value in an error message. */
export function describe(value: PickleValue): string {
  if (value instanceof Global || value instanceof Opaque) return pythonName(value.name);
  if (value === null) return 'None';
  if (Array.isArray(value)) return 'a list';
  if (value instanceof PickleDict) return 'a dict';
  if (value instanceof Foreign) return 'a tensor or a storage';
  return typeof value === 'string' ? `the text ${quote(value)}` : `the ${typeof value} ${value}`;
}
