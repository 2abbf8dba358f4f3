import { appendFile, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { OnnxRuntime } from '@dalle-mini/graph/onnxruntime';
import { temporaryFolder } from '@dalle-mini/testing/folders';
import { readMetrics, readRunLog } from '@dalle-mini/train';
import { PbfReader } from 'pbf';
import { afterAll, expect, test } from 'vitest';
import { vqganTrainer } from '../tiny-trainers.js';

const runtime = new OnnxRuntime({ threads: 1 });
afterAll(() => runtime.dispose());
const train = vqganTrainer(runtime);

interface Event {
  time: number;
  step: number;
  version?: string;
  restarts?: boolean;
  scalars: Record<string, number>;
  images: Record<string, { width: number; height: number; png: Uint8Array }>;
  texts: Record<string, string>;
}

/** The CRC-32C of RFC 3720, bit by bit, rotated and shifted as TFRecords have it. */
function maskedChecksum(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes)
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ ((crc ^ (byte >>> bit)) & 1 ? 0x82f63b78 : 0);
  crc = ~crc >>> 0;
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

test('the checksum of the reader is that of RFC 3720, appendix B.4', () => {
  const unmasked = (masked: number) => {
    const rotated = (masked - 0xa282ead8) >>> 0;
    return ((rotated << 15) | (rotated >>> 17)) >>> 0;
  };
  expect(unmasked(maskedChecksum(new Uint8Array(32)))).toBe(0x8a9136aa);
});

/** Reads the whole records of an event file, and checks their checksums. */
async function readEvents(path: string): Promise<Event[]> {
  const file = await readFile(path);
  const events: Event[] = [];
  for (let at = 0; at + 12 <= file.length; ) {
    const length = Number(file.readBigUInt64LE(at));
    if (at + 16 + length > file.length) break;
    expect(file.readUInt32LE(at + 8)).toBe(maskedChecksum(file.subarray(at, at + 8)));
    const data = file.subarray(at + 12, at + 12 + length);
    expect(file.readUInt32LE(at + 12 + length)).toBe(maskedChecksum(data));
    events.push(parseEvent(new PbfReader(data)));
    at += 16 + length;
  }
  return events;
}

function parseEvent(pbf: PbfReader): Event {
  const event: Event = { time: 0, step: 0, scalars: {}, images: {}, texts: {} };
  pbf.readFields((tag) => {
    if (tag === 1) event.time = pbf.readDouble();
    if (tag === 2) event.step = pbf.readVarint();
    if (tag === 3) event.version = pbf.readString();
    if (tag === 5) pbf.readMessage((field) => field === 1 && parseValue(pbf, event), undefined);
    if (tag === 7)
      pbf.readMessage((field) => {
        if (field === 1) event.restarts = pbf.readVarint() === 1;
      }, undefined);
  }, undefined);
  return event;
}

function parseValue(pbf: PbfReader, event: Event): void {
  let name = '';
  pbf.readMessage((tag) => {
    if (tag === 1) name = pbf.readString();
    if (tag === 2) event.scalars[name] = pbf.readFloat();
    if (tag === 4) {
      const image: Event['images'][string] = { width: 0, height: 0, png: new Uint8Array() };
      pbf.readMessage((field) => {
        if (field === 1) image.height = pbf.readVarint();
        if (field === 2) image.width = pbf.readVarint();
        if (field === 4) image.png = pbf.readBytes();
      }, undefined);
      event.images[name] = image;
    }
    if (tag === 8)
      pbf.readMessage((field) => {
        if (field === 8) event.texts[name] = pbf.readString();
      }, undefined);
  }, undefined);
}

/** Reads the files of a folder as TensorBoard does: a start drops what there is from its step on. */
async function readFolder(folder: string): Promise<Event[]> {
  const names = (await readdir(folder)).filter((name) => name.startsWith('events.out.tfevents.')).sort();
  let events: Event[] = [];
  for (const name of names) {
    for (const event of await readEvents(join(folder, name))) {
      if (event.restarts) events = events.filter(({ step }) => step < event.step);
      events.push(event);
    }
  }
  return events;
}

/** Returns the scalars by step, without the speed, which depends on the machine. */
function scalarsOf(events: readonly Event[]): Map<number, Record<string, number>> {
  const steps = new Map<number, Record<string, number>>();
  for (const { step, scalars } of events) {
    const { stepsPerSecond, ...metrics } = scalars;
    if (Object.keys(metrics).length === 0) continue;
    expect(steps.has(step)).toBe(false);
    steps.set(step, metrics);
  }
  return steps;
}

async function expectSameAsMetrics(folder: string): Promise<void> {
  const records = await readMetrics(join(folder, 'metrics.jsonl'));
  const rounded = records.map(({ step, ...metrics }) => {
    const values = Object.entries(metrics).map(([name, value]) => [name, Math.fround(value)]);
    return [step, Object.fromEntries(values)] as const;
  });
  expect(records.length).toBeGreaterThan(0);
  expect(scalarsOf(await readFolder(folder))).toEqual(new Map(rounded));
}

test('an event file has the metrics, the sheets, the settings and the speed of a run', async () => {
  const { folder } = await train({ steps: 20, evaluateEvery: 10, tensorboard: true });
  await expectSameAsMetrics(folder);
  const events = await readFolder(folder);
  expect(events[0]).toMatchObject({ version: 'brain.Event:2' });
  expect(events.every(({ time }) => Math.abs(time - Date.now() / 1000) < 600)).toBe(true);
  expect(events.flatMap(({ scalars, step }) => ('stepsPerSecond' in scalars ? [step] : []))).toEqual([5, 10, 15, 20]);
  const sheets = events.filter(({ images }) => 'reconstructions' in images);
  expect(sheets.map(({ step }) => step)).toEqual([10, 20]);
  const png = await readFile(join(folder, 'reconstructions-00000010.png'));
  const { reconstructions } = sheets[0]!.images;
  expect(Buffer.from(reconstructions!.png).equals(png)).toBe(true);
  expect([reconstructions!.width, reconstructions!.height]).toEqual([png.readUInt32BE(16), png.readUInt32BE(20)]);
  const [text] = events.flatMap(({ texts }) => Object.values(texts));
  expect(JSON.parse(text!)).toMatchObject({ kind: 'vqgan', seed: 3, steps: 20, config: { batchSize: 8 } });
});

test('a run that was killed while it wrote, and resumed, has each step once', async () => {
  const folder = await temporaryFolder();
  const options = { folder, steps: 40, checkpointEvery: 10, tensorboard: true };
  const onProgress = ({ done }: { done: number }) => {
    if (done === 25) throw new Error('killed');
  };
  await expect(train({ ...options, onProgress })).rejects.toThrow('killed');
  const [name] = (await readdir(folder)).filter((name) => name.startsWith('events'));
  // Half a record, as a killed process leaves it.
  await appendFile(join(folder, name!), Buffer.from([200, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3]));
  await appendFile(join(folder, 'run-log.jsonl'), '{"event":"steps","st');
  await train(options);
  await expectSameAsMetrics(folder);
  expect((await readdir(folder)).filter((name) => name.startsWith('events'))).toHaveLength(2);
});

test('the log has the starts, the settings, the machine and the time of the steps', async () => {
  const { folder } = await train({ steps: 10 });
  const [start, ...steps] = await readRunLog(folder);
  expect(start).toMatchObject({
    event: 'start',
    step: 0,
    settings: { kind: 'vqgan', steps: 10 },
    machine: { node: process.versions.node, cores: expect.any(Number) },
  });
  expect(steps).toMatchObject([
    { event: 'steps', step: 5, steps: 5 },
    { event: 'steps', step: 10, steps: 5 },
  ]);
  expect(steps.every((record) => record.event === 'steps' && record.seconds > 0)).toBe(true);
  expect((await readdir(folder)).some((name) => name.startsWith('events'))).toBe(false);
});
