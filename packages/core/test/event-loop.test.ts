import { forEachInTurns, fromTimeToTime, nextTurn } from '@dalle-mini/core';
import { afterEach, expect, test, vi } from 'vitest';

afterEach(() => void vi.useRealTimers());

test('the next turn comes after what waits for the event loop', async () => {
  const order: string[] = [];
  setTimeout(() => order.push('timer'));
  setImmediate(() => order.push('immediate'));
  await nextTurn();
  await nextTurn();
  expect(order.sort()).toEqual(['immediate', 'timer']);
});

test('work in turns visits every item in order, and lets timers run in between', async () => {
  let timers = 0;
  const timer = setInterval(() => timers++, 1);
  const visited: string[] = [];
  const timersBefore: number[] = [];
  await forEachInTurns(['a', 'b', 'c'], (item, index) => {
    visited.push(`${index}${item}`);
    timersBefore.push(timers);
    // As long as two turns may take.
    for (const end = performance.now() + 10; performance.now() < end; );
  });
  clearInterval(timer);
  expect(visited).toEqual(['0a', '1b', '2c']);
  expect(timersBefore[2]).toBeGreaterThan(timersBefore[0]!);
});

test('an error of the work ends it', async () => {
  const visited: number[] = [];
  const work = forEachInTurns([1, 2, 3], (item) => {
    visited.push(item);
    if (item === 2) throw new Error('no more');
  });
  await expect(work).rejects.toThrow('no more');
  expect(visited).toEqual([1, 2]);
});

test('work from time to time waits for the interval, or for twice as long as it took', async () => {
  vi.useFakeTimers();
  const run = fromTimeToTime(100);
  const taking = (milliseconds: number) => async () => {
    vi.advanceTimersByTime(milliseconds);
    return milliseconds;
  };
  expect(await run(taking(10))).toBe(10);
  vi.advanceTimersByTime(99);
  expect(await run(taking(10))).toBeUndefined();
  vi.advanceTimersByTime(1);
  expect(await run(taking(400))).toBe(400);
  vi.advanceTimersByTime(799);
  expect(await run(taking(10))).toBeUndefined();
  vi.advanceTimersByTime(1);
  expect(await run(taking(10))).toBe(10);
});
