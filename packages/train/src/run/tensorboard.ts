/** Event files of TensorBoard: TFRecords of the protocol buffers in tensorflow/core/util/event.proto. */
import { readdir } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { withFileErrors } from '@dalle-mini/core/node';
import { PbfWriter } from 'pbf';
import { appendBytes } from './json-lines.js';

/** An event of a step. */
export type TensorBoardEvent = { readonly step: number } & (
  | { readonly scalars: Readonly<Record<string, number>> }
  | { readonly image: { readonly name: string; readonly png: Uint8Array } }
  | { readonly text: { readonly name: string; readonly markdown: string } }
);

const filePattern = /^events\.out\.tfevents\.(\d+)\./;

/** A new event file in a folder. TensorBoard reads the files of a folder in the order of their names. */
export class TensorBoardFile {
  private constructor(private readonly path: string) {}

  /**
   * Creates a file for events from `firstStep` on. TensorBoard drops what earlier files of the folder have from that
   * step on: a run that was killed computes those steps again.
   *
   * @throws FileError if it cannot be written.
   */
  static async create(folder: string, firstStep: number): Promise<TensorBoardFile> {
    const names = await withFileErrors('read', folder, () => readdir(folder));
    const times = names.map((name) => Number(filePattern.exec(name)?.[1] ?? 0));
    // Seconds, with as many digits as those of the other files, and after them.
    const time = Math.max(Math.floor(Date.now() / 1000), ...times.map((other) => other + 1));
    const file = new TensorBoardFile(join(folder, `events.out.tfevents.${time}.${hostname()}.${process.pid}`));
    const version = record(message((event) => event.writeStringField(3, 'brain.Event:2')));
    const start = record(
      message((event) => {
        event.writeVarintField(2, firstStep);
        // SessionLog with the status START.
        writeMessage(event, 7, (log) => log.writeVarintField(1, 1));
      }),
    );
    await appendBytes(file.path, Buffer.concat([version, start]));
    return file;
  }

  /**
   * Appends events. The end of a process that is killed meanwhile leaves at most an incomplete last one, which readers
   * ignore.
   *
   * @throws FileError if they cannot be written. No part of them remains.
   */
  async write(events: readonly TensorBoardEvent[]): Promise<void> {
    await appendBytes(this.path, Buffer.concat(events.map((event) => record(encode(event)))));
  }
}

function encode(given: TensorBoardEvent): Uint8Array {
  return message((event) => {
    event.writeVarintField(2, given.step);
    writeMessage(event, 5, (summary) => {
      if ('scalars' in given) {
        for (const [name, value] of Object.entries(given.scalars)) {
          writeMessage(summary, 1, (entry) => {
            entry.writeStringField(1, name);
            entry.writeFloatField(2, value);
          });
        }
      } else if ('image' in given) writeMessage(summary, 1, (entry) => writeImage(entry, given.image));
      else writeMessage(summary, 1, (entry) => writeText(entry, given.text));
    });
  });
}

function writeImage(entry: PbfWriter, { name, png }: { readonly name: string; readonly png: Uint8Array }): void {
  // The IHDR chunk, the first one, has the size.
  const header = new DataView(png.buffer, png.byteOffset, png.byteLength);
  entry.writeStringField(1, name);
  writeMessage(entry, 4, (image) => {
    image.writeVarintField(1, header.getUint32(20));
    image.writeVarintField(2, header.getUint32(16));
    // RGB.
    image.writeVarintField(3, 3);
    image.writeBytesField(4, png);
  });
}

/** Writes text as the plugin "text" expects it: a tensor of one string. */
function writeText(entry: PbfWriter, { name, markdown }: { readonly name: string; readonly markdown: string }): void {
  entry.writeStringField(1, `${name}/text_summary`);
  writeMessage(entry, 8, (tensor) => {
    // DT_STRING.
    tensor.writeVarintField(1, 7);
    writeMessage(tensor, 2, (shape) => writeMessage(shape, 2, (dimension) => dimension.writeVarintField(1, 1)));
    tensor.writeStringField(8, markdown);
  });
  writeMessage(entry, 9, (metadata) => {
    writeMessage(metadata, 1, (plugin) => plugin.writeStringField(1, 'text'));
    // DATA_CLASS_TENSOR.
    metadata.writeVarintField(4, 2);
  });
}

/** Returns the bytes of an event, which begins with the time in seconds. */
function message(write: (event: PbfWriter) => void): Uint8Array {
  const writer = new PbfWriter();
  writer.writeDoubleField(1, Date.now() / 1000);
  write(writer);
  return writer.finish();
}

const writeMessage = (writer: PbfWriter, field: number, write: (inner: PbfWriter) => void) =>
  writer.writeMessage(field, (_, inner) => write(inner), undefined);

/** Returns a TFRecord: the length and its checksum, the data and its checksum. */
function record(data: Uint8Array): Buffer {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(data.byteLength));
  return Buffer.concat([length, maskedChecksum(length), data, maskedChecksum(data)]);
}

/** Returns the checksum of TFRecords: a CRC-32C, rotated, plus a constant. */
function maskedChecksum(data: Uint8Array): Buffer {
  const crc = crc32c(data);
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE((((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0);
  return bytes;
}

/** The checksum after each byte, with Castagnoli's polynomial, which `node:zlib` does not have. */
const checksums = Uint32Array.from({ length: 256 }, (_, byte) => {
  let checksum = byte;
  for (let bit = 0; bit < 8; bit++) checksum = checksum & 1 ? 0x82f63b78 ^ (checksum >>> 1) : checksum >>> 1;
  return checksum;
});

function crc32c(data: Uint8Array): number {
  let checksum = 0xffffffff;
  for (const byte of data) checksum = checksums[(checksum ^ byte) & 0xff]! ^ (checksum >>> 8);
  return ~checksum >>> 0;
}
