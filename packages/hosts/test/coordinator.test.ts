import { connect } from 'node:net';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { Coordinator, CoordinatorClient, HostError } from '@dalle-mini/hosts';
import { afterEach, describe, expect, test } from 'vitest';

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((one) => one.close()));
});

async function start(size: number, options: { token?: string; silenceSeconds?: number } = {}) {
  const coordinator = await Coordinator.start({ size, ...options });
  open.push(coordinator);
  return coordinator;
}

async function join(
  { port }: Coordinator,
  rank: number,
  options: Partial<Parameters<typeof CoordinatorClient.join>[0]> = {},
) {
  const client = await CoordinatorClient.join({ addresses: [`127.0.0.1:${port}`], rank, startSeconds: 5, ...options });
  open.push({ close: () => client.leave() });
  return client;
}

async function started(size: number) {
  const coordinator = await start(size);
  const clients = await Promise.all(Array.from({ length: size }, (_, rank) => join(coordinator, rank)));
  return { coordinator, clients };
}

describe('the key-value store', () => {
  test('gives the values of one host to the others', async () => {
    const { clients } = await started(2);
    await clients[0]!.put('topology/0', 'a\n"b"\u00ff');
    expect(await clients[1]!.get('topology/0')).toBe('a\n"b"\u00ff');
  });

  test('waits for a value that comes later', async () => {
    const { clients } = await started(3);
    const waiting = [clients[1]!.get('id', 5), clients[2]!.get('id', 5)];
    await sleep(20);
    await clients[0]!.put('id', '7');
    expect(await Promise.all(waiting)).toEqual(['7', '7']);
  });

  test('answers nothing for a value that does not come in time', async () => {
    const { clients } = await started(1);
    expect(await clients[0]!.get('missing')).toBeUndefined();
    expect(await clients[0]!.get('missing', 0.02)).toBeUndefined();
    await clients[0]!.put('missing', 'found');
    expect(await clients[0]!.get('missing')).toBe('found');
  });
});

describe('hosts', () => {
  test('exchange values by rank, round after round', async () => {
    const { clients } = await started(3);
    const rounds = clients.map(async (client, rank) => {
      await sleep(5 * (3 - rank));
      return [await client.gather({ rank }), await client.gather(rank * 10)];
    });
    const expected = [
      [{ rank: 0 }, { rank: 1 }, { rank: 2 }],
      [0, 10, 20],
    ];
    expect(await Promise.all(rounds)).toEqual([expected, expected, expected]);
  });

  test('are told at once when one is lost, also those that join later', async () => {
    const coordinator = await start(3);
    const client = await join(coordinator, 0);
    const socket = connect(coordinator.port, '127.0.0.1');
    socket.write(`${JSON.stringify({ kind: 'join', rank: 1, host: 'node-b', token: '' })}\n`);
    const waiting = client.gather('value');
    // The reply: rank 1 has joined.
    await new Promise((resolve) => socket.once('data', resolve));
    socket.destroy();
    await expect(waiting).rejects.toThrow(/^Rank 1 on node-b was lost: its connection closed. All hosts stop\./);
    await expect(client.guard(new Promise(() => undefined))).rejects.toThrow(HostError);
    const late = await join(coordinator, 2);
    await expect(late.gather('value')).rejects.toThrow(/Rank 1 on node-b was lost/);
  });

  test('are told when the connection of one is reset, as that of a killed process may be', async () => {
    const coordinator = await start(2);
    const client = await join(coordinator, 0);
    const socket = connect(coordinator.port, '127.0.0.1');
    socket.write(`${JSON.stringify({ kind: 'join', rank: 1, host: 'node-b', token: '' })}\n`);
    await new Promise((resolve) => socket.once('data', resolve));
    socket.resetAndDestroy();
    await expect(client.gather('value')).rejects.toThrow(
      /^Rank 1 on node-b was lost: its connection failed \(ECONNRESET\)/,
    );
  });

  test('are told when one is silent', async () => {
    const coordinator = await start(2, { silenceSeconds: 0.3 });
    const client = await join(coordinator, 0, { silenceSeconds: 0.3 });
    const socket = connect(coordinator.port, '127.0.0.1');
    socket.write(`${JSON.stringify({ kind: 'join', rank: 1, host: 'node-b', token: '' })}\n`);
    await expect(client.gather('value')).rejects.toThrow(/Rank 1 on node-b was lost: it was silent for 0.3 seconds/);
    socket.destroy();
  });

  test('are told why one fails', async () => {
    const { clients } = await started(2);
    const waiting = expect(clients[0]!.gather('value')).rejects;
    const told = waiting.toThrow(/^Rank 1 on .* failed: the disk is full\. All hosts stop/);
    await clients[1]!.failAll('the disk is full.');
    await told;
  });

  test('are told when rank 0 is lost', async () => {
    const { coordinator, clients } = await started(2);
    const told = expect(clients[1]!.get('key', 60)).rejects.toThrow(/^Rank 0 on .* was lost: its connection closed/);
    await coordinator.close();
    await told;
  });

  test('may leave one after the other', async () => {
    const { clients } = await started(2);
    await clients[1]!.leave();
    await clients[0]!.put('key', 'value');
    expect(await clients[0]!.get('key')).toBe('value');
  });

  test('join at whichever address answers, and wait for the start of rank 0', async () => {
    const { port } = await start(1);
    const client = await CoordinatorClient.join({ addresses: [`127.0.0.1:1`, `127.0.0.1:${port}`], rank: 0 });
    expect(await client.gather(1)).toEqual([1]);
    await client.leave();
    const joining = CoordinatorClient.join({ addresses: [`127.0.0.1:${port + 1}`], rank: 0, startSeconds: 5 });
    await sleep(50);
    const later = await Coordinator.start({ size: 1, port: port + 1 });
    await (await joining).leave();
    await later.close();
  });

  test('say which host cannot reach rank 0, and where it should be', async () => {
    const joining = CoordinatorClient.join({ addresses: ['127.0.0.1:1'], rank: 3, startSeconds: 0.01 });
    await expect(joining).rejects.toThrow(
      /^Rank 3 on .* must reach rank 0 at 127\.0\.0\.1:1 within 0\.01 seconds.*ECONNREFUSED/,
    );
  });

  test('know the names of all when all have joined, and say which one is missing', async () => {
    const coordinator = await start(2);
    const first = await join(coordinator, 0, { startSeconds: 0.05 });
    await expect(first.meet(2)).rejects.toThrow(/^All 2 hosts must start within 0\.05 seconds, but rank 1 has not/);
    const second = await join(coordinator, 1);
    expect(await Promise.all([first.meet(2), second.meet(2)])).toEqual([
      [hostname(), hostname()],
      [hostname(), hostname()],
    ]);
  });

  test('need a free port on rank 0', async () => {
    const { port } = await start(1);
    await expect(Coordinator.start({ size: 1, port })).rejects.toThrow(
      `Rank 0 cannot listen at port ${port}: EADDRINUSE.`,
    );
  });

  test('are refused with another token, a rank that is taken, or one that is too high', async () => {
    const coordinator = await start(2, { token: 'secret' });
    await join(coordinator, 0, { token: 'secret' });
    await expect(join(coordinator, 1, { token: 'other' })).rejects.toThrow(/refuses rank 1: it belongs to another run/);
    await expect(join(coordinator, 0, { token: 'secret' })).rejects.toThrow(/rank 0 has joined already, on/);
    await expect(join(coordinator, 2, { token: 'secret' })).rejects.toThrow(/the rank must be from 0 to 1, not 2/);
  });
});
