import { HubError } from './error.js';

/** The longest text of a hub in a message, in characters. */
const longestReason = 200;

/** What to do about the statuses with which a hub refuses an upload. */
const actions: Readonly<Record<number, string>> = {
  400: 'Correct what the hub names.',
  401: 'Set HF_TOKEN to an access token that may write (role "write").',
  402: 'Free storage, or change the plan of the account.',
  403: 'Use a token with write access to this repository or organization; if storage is full, free some.',
  404: 'Check the name and the revision; the token must see the repository.',
  409: 'Another upload changed the repository. Run the same command again.',
  412: 'Another upload changed the revision. Run the same command again.',
  413: 'Upload fewer or smaller files.',
  422: 'Correct what the hub names.',
  507: 'Free storage, or change the plan of the account.',
};

/**
 * Checks that a hub or a store accepted what was sent.
 *
 * @param what Names what was sent.
 * @throws HubError with the status, the reason that the hub gives, and what to do.
 */
export function expectAccepted(
  { status, text }: { readonly status: number; readonly text: string },
  what: string,
): void {
  if (status >= 200 && status < 300) return;
  const reason = reasonOf(text);
  const action = actions[status] ?? 'Check HF_ENDPOINT, and try again later.';
  throw new HubError(`${what}: the upload was refused (${status}${reason && `: ${reason}`}). ${action}`);
}

/** Returns the reason in the JSON of an answer, or its text if that is short and not HTML, on one line. */
function reasonOf(text: string): string {
  let reason: unknown = text.startsWith('<') || text.length > longestReason ? '' : text;
  try {
    const { error, message } = JSON.parse(text) as { error?: unknown; message?: unknown };
    reason = error ?? message;
  } catch {
    // Not JSON.
  }
  if (typeof reason !== 'string') return '';
  return reason
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .trim()
    .replace(/\.$/, '')
    .slice(0, longestReason);
}
