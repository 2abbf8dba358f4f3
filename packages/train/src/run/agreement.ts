import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import type { Runtime } from '@dalle-mini/graph';
import { HostError, type Hosts } from '@dalle-mini/hosts';
import type { DataRecord } from './data-record.js';
import { differences, type Settings } from './settings.js';

/**
 * Checks that all hosts train the same way.
 *
 * @throws HostError that names two hosts and what differs between them.
 */
export async function agree(hosts: Hosts, { name }: Runtime, settings: Settings, data: DataRecord): Promise<void> {
  if (hosts.size === 1) return;
  const samples = createHash('sha256').update(JSON.stringify(data)).digest('hex').slice(0, 16);
  const versions = { 'dalle-mini': packageVersion(), node: process.versions.node, runtime: name };
  const [first, ...others] = await hosts.gather<Settings>({ ...settings, samples, versions });
  for (const [i, other] of others.entries()) {
    const names = { there: `on ${hosts.nameOf(0)}`, here: `on ${hosts.nameOf(i + 1)}` };
    const differing = differences(first!, other, {}, names);
    if (differing.length === 0) continue;
    throw new HostError(
      `All hosts must train alike, but ${differing.join('; ')}. Use the same settings, data and versions on all.`,
    );
  }
}

/** Returns the version of this package, or of the program that a bundler made of it. */
function packageVersion(): string {
  for (let folder = new URL('.', import.meta.url); ; folder = new URL('..', folder)) {
    const file = new URL('package.json', folder);
    if (existsSync(file)) return (JSON.parse(readFileSync(file, 'utf8')) as { version?: string }).version ?? 'unknown';
    if (folder.pathname === '/') return 'unknown';
  }
}
