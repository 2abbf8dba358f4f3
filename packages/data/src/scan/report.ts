import { type Omission, type OmissionReason, omissionReasons } from '../sources/listing.js';

/** What a dataset has, and what was left out when it was opened. */
export interface DatasetReport {
  /** The folder or the archives. */
  readonly source: string;
  /** Number of samples that can be used. */
  readonly samples: number;
  /** What was left out, and why. */
  readonly omissions: readonly Omission[];
}

/**
 * Summarizes a report: the number of samples that are left out, and for each reason their number and an example.
 *
 * @example
 * ```ts
 * import { openImageFolder, summarizeReport } from '@dalle-mini/data';
 *
 * const { report } = await openImageFolder('pictures', { imageSize: 64 });
 * console.log(summarizeReport(report));
 * ```
 */
export function summarizeReport({ source, samples, omissions }: DatasetReport): string {
  const total = samples + omissions.length;
  if (omissions.length === 0) return `All ${total} samples in ${source} can be used.`;
  const byReason = new Map<OmissionReason, Omission[]>();
  for (const omission of omissions) {
    const known = byReason.get(omission.reason);
    if (known) known.push(omission);
    else byReason.set(omission.reason, [omission]);
  }
  const reasons = [...byReason].map(
    ([reason, { length, 0: example }]) => `${omissionReasons[reason]}: ${length}, such as ${example!.message}`,
  );
  return `${omissions.length} of ${total} samples in ${source} cannot be used. ${reasons.map(capitalized).join(' ')}`;
}

function capitalized(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
