import { HostError } from '@dalle-mini/hosts';
import { CommanderError } from 'commander';
import { UsageError } from './errors.js';
import { InterruptionError, signal } from './signal.js';

/**
 * Prints an error in one line on stderr. Returns the exit code.
 *
 * @param place Which of several hosts has failed.
 */
export function report(error: unknown, place?: string): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
  const reason = reasonOf(error);
  process.stderr.write(`dalle-mini: ${place === undefined ? '' : `${place}: `}${lineOf(reason)}\n`);
  if (reason instanceof InterruptionError) return reason.exitCode;
  return reason instanceof UsageError ? 2 : 1;
}

/** Returns the message of an error, on one line. */
export function lineOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message.trim().replace(/\s*\n\s*/g, ' ');
}

/** A launcher interrupts all hosts when one is lost: the loss is the reason then. */
function reasonOf(error: unknown): unknown {
  if (HostError.isInstance(error)) return error;
  return signal.aborted && signal.reason instanceof InterruptionError ? signal.reason : error;
}
