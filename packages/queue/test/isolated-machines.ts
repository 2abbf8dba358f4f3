import { spawnSync } from 'node:child_process';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

function system(command: string, ...args: readonly string[]): void {
  const { status, stderr, error } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed: ${error?.message ?? stderr}`);
}

/** Machines of a network of their own: network namespaces, joined by a bridge. Only root can make them. */
export class IsolatedMachines {
  private readonly name = `dm${process.pid % 100_000}`;
  /** The address of this machine in the network. */
  readonly address = '10.213.77.1';
  /** The addresses of the network. */
  readonly range = '10.213.77.0/24';

  constructor(private readonly count: number) {
    system('ip', 'link', 'add', this.bridge, 'type', 'bridge');
    system('ip', 'address', 'add', `${this.address}/24`, 'dev', this.bridge);
    system('ip', 'link', 'set', this.bridge, 'up');
    for (let machine = 0; machine < count; machine++) this.add(machine);
  }

  /** The command that starts a program on a machine. */
  command(machine: number): [command: string, ...args: string[]] {
    return ['ip', 'netns', 'exec', this.namespace(machine)];
  }

  /** Pulls the cable of a machine, or plugs it in. */
  connect(machine: number, isConnected: boolean): void {
    system('ip', 'link', 'set', this.port(machine), isConnected ? 'up' : 'down');
  }

  remove(): void {
    for (let machine = 0; machine < this.count; machine++) system('ip', 'netns', 'delete', this.namespace(machine));
    system('ip', 'link', 'delete', this.bridge);
  }

  private add(machine: number): void {
    const [namespace, port] = [this.namespace(machine), this.port(machine)];
    system('ip', 'netns', 'add', namespace);
    system('ip', 'link', 'add', port, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', namespace);
    system('ip', 'link', 'set', port, 'master', this.bridge, 'up');
    system('ip', '-n', namespace, 'address', 'add', `10.213.77.${machine + 2}/24`, 'dev', 'eth0');
    system('ip', '-n', namespace, 'link', 'set', 'eth0', 'up');
    system('ip', '-n', namespace, 'link', 'set', 'lo', 'up');
  }

  private get bridge(): string {
    return `${this.name}b`;
  }

  private namespace(machine: number): string {
    return `${this.name}n${machine}`;
  }

  private port(machine: number): string {
    return `${this.name}p${machine}`;
  }
}

/** A disk that can be full: a file system in memory. Only root can mount it. */
export class SmallDisk {
  /** @param folder An empty folder. */
  constructor(
    readonly folder: string,
    private readonly megabytes: number,
  ) {
    system('mount', '-t', 'tmpfs', '-o', `size=${megabytes}m`, 'dalle-mini', folder);
  }

  /** Takes all that is free. */
  async fill(): Promise<void> {
    await writeFile(this.filler, Buffer.alloc(this.megabytes * 2 ** 20)).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOSPC') throw error;
    });
  }

  async free(): Promise<void> {
    await rm(this.filler, { force: true });
  }

  remove(): void {
    system('umount', '--lazy', this.folder);
  }

  private get filler(): string {
    return join(this.folder, 'filler');
  }
}

/** Whether this process may make {@link IsolatedMachines} and a {@link SmallDisk}. */
export function canIsolate(): boolean {
  const script = 'mount -t tmpfs tmpfs /mnt && ip link add dmtest type bridge';
  return process.getuid?.() === 0 && spawnSync('unshare', ['--mount', '--net', 'sh', '-c', script]).status === 0;
}
