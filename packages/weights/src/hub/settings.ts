import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { quote } from '@dalle-mini/core';
import { environmentVariable, expandHome } from '@dalle-mini/core/node';
import { HubError } from './error.js';

// The variables and their defaults are those of huggingface_hub in Python.

const defaultEndpoint = 'https://huggingface.co';

/** Seconds without a byte. */
const defaultTimeout = 10;

function hubHome(): string {
  const home = environmentVariable('HF_HOME');
  return expandHome(home ?? join(environmentVariable('XDG_CACHE_HOME') ?? '~/.cache', 'huggingface'));
}

/** Returns the folder of the cache. */
export function cacheFolder(): string {
  const folder = environmentVariable('HF_HUB_CACHE', 'HUGGINGFACE_HUB_CACHE');
  return folder === undefined ? join(hubHome(), 'hub') : expandHome(folder);
}

/** Checks whether a value is the address of a website. */
export function isWebAddress(value: unknown): boolean {
  return typeof value === 'string' && /^https?:\/\//.test(value) && URL.canParse(value);
}

/**
 * Returns the address of the hub, without a slash at the end.
 *
 * @throws HubError if `HF_ENDPOINT` is not a web address.
 */
export function hubEndpoint(endpoint = environmentVariable('HF_ENDPOINT') ?? defaultEndpoint): string {
  if (!isWebAddress(endpoint)) {
    throw new HubError(
      `HF_ENDPOINT must be a web address such as ${defaultEndpoint}, not ${quote(endpoint)}. Correct it.`,
    );
  }
  return endpoint.replace(/\/+$/, '');
}

/** Returns whether the environment forbids the network. */
export function isOffline(): boolean {
  return /^(1|on|yes|true)$/i.test(environmentVariable('HF_HUB_OFFLINE', 'TRANSFORMERS_OFFLINE') ?? '');
}

/** Returns the milliseconds without a byte after which a connection is closed. */
export function hubTimeout(): number {
  const seconds = Number(environmentVariable('HF_HUB_DOWNLOAD_TIMEOUT'));
  return 1000 * (seconds > 0 ? seconds : defaultTimeout);
}

/**
 * Returns the access token, or undefined if there is none.
 *
 * @throws HubError if the token cannot be sent.
 */
export async function hubToken(given: string | undefined): Promise<string | undefined> {
  const token = (given ?? environmentVariable('HF_TOKEN', 'HUGGING_FACE_HUB_TOKEN') ?? (await tokenFile())).trim();
  if (/[^\x21-\x7e]/.test(token)) {
    throw new HubError(
      'The access token must have letters, digits and punctuation only. Set HF_TOKEN to one that begins with hf_.',
    );
  }
  return token === '' ? undefined : token;
}

/** Reads the token that `hf auth login` stored. */
async function tokenFile(): Promise<string> {
  const path = environmentVariable('HF_TOKEN_PATH');
  return readFile(path === undefined ? join(hubHome(), 'token') : expandHome(path), 'utf8').catch(() => '');
}
