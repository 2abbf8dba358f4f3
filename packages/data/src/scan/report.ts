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

/** Number of notes in a summary. */
const mostNotes = 10;

/**
 * Summarizes a report: the number of samples that are left out, a line for each reason with their number and an example,
 * and the notes, a line each.
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
  const rest = notes.length > mostNotes ? [`There are ${notes.length - mostNotes} more notes.`] : [];
  const shown = [...notes.slice(0, mostNotes), ...rest];
  if (omissions.length === 0) return [`All ${total} samples in ${source} can be used.`, ...shown].join('\n');
  const byReason = new Map<OmissionReason, Omission[]>();
  for (const omission of omissions) {
    const known = byReason.get(omission.reason);
    if (known) known.push(omission);
    else byReason.set(omission.reason, [omission]);
  }
  const reasons = [...byReason].map(
    ([reason, omitted]) => `- ${omitted.length} × ${omissionReasons[reason]}, such as: ${omitted[0]!.message}`,
  );
  return [`${omissions.length} of ${total} samples in ${source} cannot be used:`, ...reasons, ...shown].join('\n');
}
