import { DownloadError } from '../download/download-error.js';
import type { Downloader } from '../download/downloader.js';
import type { ColumnValue, Row } from '../lists/row.js';
import type { PictureFilter } from '../pictures/filter.js';
import type { PictureSettings } from '../pictures/options.js';
import { type Picture, PictureError, toPicture } from '../pictures/picture.js';
import type { Sample } from './sample.js';
import type { Spool } from './spool.js';

/** What it takes to download the rows of a shard. */
export interface ShardDownload {
  readonly downloader: Downloader;
  readonly pictures: PictureSettings;
  readonly filter?: PictureFilter | undefined;
  /** Stops all downloads. What is no failure of one image, such as a full disk, stops them too. */
  readonly stop: AbortController;
  /** Called after each row, with the bytes that were downloaded. */
  readonly onSample?: ((sample: Sample, bytes: number) => unknown) | undefined;
}

/** Downloads the image of a row, and puts it into the spool. Failures of the row are in the result. */
export async function downloadSample(row: Row, spool: Spool, download: ShardDownload): Promise<Sample> {
  const { downloader, pictures, filter, stop, onSample } = download;
  let bytes = 0;
  const store = async (file: Buffer): Promise<Sample> => {
    bytes = file.length;
    const { jpeg, ...picture } = await toPicture(file, pictures);
    const scores = filter === undefined ? {} : await judge(filter, { ...picture, jpeg }, row);
    return { status: 'success', row, picture: { ...picture, jpeg: await spool.append(jpeg) }, scores };
  };
  const sample = await downloader.withImage(row.url, store, stop.signal).catch((error: unknown) => {
    const failed = failedSample(row, error);
    if (failed === undefined) stop.abort(error);
    stop.signal.throwIfAborted();
    return failed!;
  });
  await onSample?.(sample, bytes);
  return sample;
}

async function judge(
  filter: PictureFilter,
  picture: Picture,
  row: Row,
): Promise<Readonly<Record<string, ColumnValue>>> {
  const { jpeg, width, height } = picture;
  const { refuse, columns = {} } = (await filter({ jpeg, width, height, row })) ?? {};
  if (refuse !== undefined) throw new PictureError('refused', refuse);
  return columns;
}

function failedSample(row: Row, error: unknown): Sample | undefined {
  if (error instanceof DownloadError)
    return { status: 'failed_to_download', row, problem: error.problem, message: error.message };
  if (error instanceof PictureError)
    return { status: 'failed_to_resize', row, problem: error.problem, message: error.message };
  return undefined;
}
