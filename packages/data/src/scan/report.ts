import { type Omission, type OmissionReason, omissionReasons } from '../sources/listing.js';

/** What a dataset has, and what was left out when it was opened. */
export interface DatasetReport {
  /** The folder or the archives. */
  readonly source: string;
  /** Number of samples that can be used. */
  readonly samples: number;
  /** What was left out, and why. */
  readonly omissions: readonly Omission[];
  /** Sentences about folders that were left out, and about which file of several was read. */
  readonly notes: readonly string[];
}

/** Number of notes in a summary, and of examples for a reason. */
const mostNotes = 10;
const mostExamples = 3;

/**
 * Summarizes a report: the number of samples that are left out, for each reason their number and examples, and the notes.
 *
 * @example
 * ```ts
 * import { openImageFolder, summarizeReport } from '@dalle-mini/data';
 *
 * const { report } = await openImageFolder('pictures', { imageSize: 64 });
 * console.log(summarizeReport(report));
 * ```
 */
export function summarizeReport({ source, samples, omissions, notes }: DatasetReport): string {
  const total = samples + omissions.length;
  const shown = notes.slice(0, mostNotes).map((note) => ` ${note}`);
  const rest = notes.length > mostNotes ? ` There are ${notes.length - mostNotes} more notes.` : '';
  if (omissions.length === 0) return `All ${total} samples in ${source} can be used.${shown.join('')}${rest}`;
  const byReason = new Map<OmissionReason, Omission[]>();
  for (const omission of omissions) {
    const known = byReason.get(omission.reason);
    if (known) known.push(omission);
    else byReason.set(omission.reason, [omission]);
  }
  const reasons = [...byReason].map(
    ([reason, omitted]) =>
      `${omissionReasons[reason]}: ${omitted.length}, such as ${omitted
        .slice(0, mostExamples)
        .map(({ message }) => message)
        .join(' ')}`,
  );
  return `${omissions.length} of ${total} samples in ${source} cannot be used. ${reasons.map(capitalized).join(' ')}${shown.join('')}${rest}`;
}

function capitalized(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
