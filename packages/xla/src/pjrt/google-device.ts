import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Google's number among the vendors of PCI devices: TPUs, and the network devices of its virtual machines. */
const google = '0x1ae0';

/**
 * Checks whether this computer has a PCI device by Google. Computers with TPUs have one.
 *
 * @param folder Where the system lists PCI devices.
 */
export async function hasGoogleDevice(folder = '/sys/bus/pci/devices'): Promise<boolean> {
  const devices = await readdir(folder).catch((): string[] => []);
  const vendors = await Promise.all(
    devices.map((device) => readFile(join(folder, device, 'vendor'), 'utf8').catch(() => '')),
  );
  return vendors.some((vendor) => vendor.trim() === google);
}
