import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { quote } from '@dalle-mini/core';
import { HubError } from './error.js';

// The variables, and what they default to, are those of huggingface_hub in Python.

const DEFAULT_ENDPOINT = 'https://huggingface.co';

/** Seconds. */
const DEFAULT_TIMEOUT = 10;

/** The first of some environment variables that is set to a text. */
function variable(...names: readonly string[]): string | undefined {
  return names.map((name) => process.env[name]).find((value) => value !== undefined && value !== '');
}

/** A path that may begin with the user's folder. */
function expanded(path: string): string {
  return path.replace(/^~(?=[/\\]|$)/, homedir());
}

function hubHome(): string {
  const home = variable('HF_HOME');
  return expanded(home ?? join(variable('XDG_CACHE_HOME') ?? '~/.cache', 'huggingface'));
}

export function cacheFolder(): string {
  const folder = variable('HF_HUB_CACHE', 'HUGGINGFACE_HUB_CACHE');
  return folder === undefined ? join(hubHome(), 'hub') : expanded(folder);
}

/** @throws HubError unless the address is one of the web. */
export function hubEndpoint(endpoint = variable('HF_ENDPOINT') ?? DEFAULT_ENDPOINT): string {
  if (!/^https?:\/\//.test(endpoint) || !URL.canParse(endpoint)) {
    throw new HubError(
      `The hub's endpoint is ${quote(endpoint)}; set HF_ENDPOINT to an address such as ${DEFAULT_ENDPOINT}.`,
    );
  }
  return endpoint.replace(/\/+$/, '');
}

export function isOffline(): boolean {
  return /^(1|on|yes|true)$/i.test(variable('HF_HUB_OFFLINE', 'TRANSFORMERS_OFFLINE') ?? '');
}

/** Milliseconds without a byte after which a connection is given up. */
export function hubTimeout(): number {
  const seconds = Number(variable('HF_HUB_DOWNLOAD_TIMEOUT'));
  return 1000 * (seconds > 0 ? seconds : DEFAULT_TIMEOUT);
}

/** @throws HubError if the token cannot be sent. */
export async function hubToken(given: string | undefined): Promise<string | undefined> {
  const token = (given ?? variable('HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN') ?? (await tokenFile())).trim();
  if (/[^\x21-\x7e]/.test(token)) {
    throw new HubError(
      'The access token holds characters that no token has. Set HF_TOKEN to one that begins with hf_.',
    );
  }
  return token === '' ? undefined : token;
}

/** Where Python's `login` leaves the token. */
async function tokenFile(): Promise<string> {
  const path = variable('HF_TOKEN_PATH');
  return readFile(path === undefined ? join(hubHome(), 'token') : expanded(path), 'utf8').catch(() => '');
}
