/**
 * Writes the measured figures of docs/data-at-scale.md from benchmarks/results: `node scripts/data-at-scale.mjs`. With `--check` it writes nothing, and
 * fails unless the page is what it would write. A part without results stays as it is.
 */
import { readFile, writeFile } from 'node:fs/promises';

const page = 'docs/data-at-scale.md';

const read = async (name) => JSON.parse(await readFile(`benchmarks/results/${name}.json`, 'utf8').catch(() => 'null'));

function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return (sorted[Math.floor(middle)] + sorted[Math.ceil(middle)]) / 2;
}

const machineOf = ({ about }) => `${about.cores} cores of an ${about.processor}`;

/** A time in the unit in which it is a number of two digits. */
function duration(days) {
  if (days >= 3) return `${days.toFixed(0)} days`;
  return days >= 1 / 8 ? `${(24 * days).toFixed(0)} hours` : `${(1440 * days).toFixed(0)} minutes`;
}

/** How fast images are encoded, and how long 12 million take. */
function encoding(results) {
  const { images, rounds } = results.results.find(({ task }) => task === 'encode');
  const times = (side) => rounds.map((round) => median(round[side].rounds.map(({ encode }) => encode)));
  const perSecond = (1000 * images) / median(times(0));
  const ratio = rounds[0].length > 1 ? median(times(0).map((own, round) => times(1)[round] / own)) : undefined;
  const [one, some, many] = [1, 8, 64].map((machines) => duration(12e6 / perSecond / machines / 86_400));
  return `On ${machineOf(results)}, ${perSecond.toFixed(1)} images per second are encoded with the VQ-GAN f16-16384${
    ratio === undefined ? '' : `, ${ratio.toFixed(1)} times as many as by Taming's code in PyTorch`
  }.
12 million images take ${one} of one such machine, ${some} of 8 and ${many} of 64, each with its [share of the shards](#several-machines).`;
}

/** How fast images are downloaded, compared with img2dataset. */
function downloads(results) {
  const { count, megapixels } = results.options;
  const runs = (side) => results.rounds.map((round) => round[side]);
  const speeds = (side) => runs(side).map(({ images, seconds }) => images / seconds);
  const milliseconds = (side) => median(runs(side).map(({ cpu_seconds, images }) => (1000 * cpu_seconds) / images));
  const [first, last] = ['first', 'last'].map((quarter) => median(runs(0).map((run) => run.memory_quarters[quarter])));
  const peer = results.rounds[0].length > 1;
  const compared = peer
    ? `, ${median(speeds(0).map((own, round) => own / speeds(1)[round])).toFixed(1)} times as many as img2dataset with the same settings in the same run`
    : '';
  const other = peer ? `, and ${milliseconds(1).toFixed(1)} ms of img2dataset` : '';
  return `On ${machineOf(results)}, which also serve the images, ${Number(count).toLocaleString('en')} rows with images of ${megapixels} megapixels and the faults of old lists are
downloaded at ${median(speeds(0)).toFixed(0)} images per second${compared}: ${milliseconds(0).toFixed(1)} ms of a processor an image${other}. Decoding, resizing and encoding take most of it.
All processes together hold ${first.toFixed(0)} MB of memory in the first quarter of the time, and ${last.toFixed(0)} MB in the last.`;
}

/** What 12 million rows cost without their images. */
function planning({ rows, done, first, again, ...results }) {
  return `On ${machineOf(results)}, a list of ${(rows / 1e6).toFixed(0)} million rows is read in ${first.seconds.toFixed(0)} seconds before the first download, with ${first.peak_rss_mb.toFixed(0)} MB of memory. Started again
with ${(100 * done).toFixed(0)} % of the shards written, the command continues after ${again.seconds.toFixed(0)} seconds.`;
}

let text = await readFile(page, 'utf8');
for (const [name, write] of Object.entries({ tokenize: encoding, download: downloads, plan: planning })) {
  const results = await read(name);
  const [start, end] = [`<!-- from benchmarks/results/${name}.json -->\n`, '\n<!-- end -->'];
  const from = text.indexOf(start) + start.length;
  const to = text.indexOf(end, from);
  if (from < start.length || to === -1) throw new Error(`${page} must have ${start.trim()} and ${end.trim()}.`);
  if (results) text = text.slice(0, from) + write(results) + text.slice(to);
}
if (process.argv.includes('--check')) {
  if (text !== (await readFile(page, 'utf8')))
    throw new Error(`${page} is not what scripts/data-at-scale.mjs writes. Run it.`);
} else await writeFile(page, text);
