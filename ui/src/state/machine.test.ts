import { expect, test, vi } from 'vitest';
import { ApiError } from '../api/client';
import { readFigures } from '../api/machine';
import { createMachine, kept, LEAST_MS, line, LOOK_MS, sampleOf, SECOND_MS, WINDOW_MS, type Sample } from './machine';

const figures = (resources: unknown, storage: unknown = {}) => readFigures({ generatedAt: '2026-11-20T10:00:00.000Z', resources, storage });
const sample = (at: number, cpu: number | null): Sample => ({ at, cpu, memory: null });

test('parts are of the whole, and the unknown is not zero', () => {
  const look = (ticks: number | null, busy: number | null, more = {}) => figures({ cpuTicks: ticks, cpuBusyTicks: busy, ...more });
  expect(sampleOf(look(100, 50), look(200, 75, { memoryBytes: 400, availableBytes: 100 }), 7)).toEqual({ at: 7, cpu: 0.25, memory: 0.75 });
  const cpu = (before: ReturnType<typeof look> | null, now: ReturnType<typeof look>) => sampleOf(before, now, 7).cpu;
  expect([cpu(null, look(200, 75)), cpu(look(null, null), look(200, 75)), cpu(look(100, 50), look(null, null))]).toEqual([null, null, null]);
  expect([cpu(look(100, 50), look(20, 5)), cpu(look(100, 50), look(100, 50))], 'started anew, or no time has passed').toEqual([null, null]);
  expect([cpu(look(100, 50), look(110, 40)), cpu(look(100, 50), look(110, 70))]).toEqual([0, 1]);
  expect(sampleOf(null, figures({ memoryBytes: 0, availableBytes: 0 }), 7)).toEqual({ at: 7, cpu: null, memory: null });
});

test('samples leave with the window, and a clock that went back takes nothing along', () => {
  const list = kept([sample(0, 1), sample(10, 1)], sample(WINDOW_MS + 5, 1));
  expect(list.map(({ at }) => at)).toEqual([10, WINDOW_MS + 5]);
  expect(kept([sample(100, 1)], sample(50, 1)).map(({ at }) => at)).toEqual([50]);
});

test('the line ends at the right edge, stays in the picture, and breaks where nothing is known', () => {
  const at = (ms: number) => WINDOW_MS + ms;
  expect(line([sample(at(0), 0), sample(at(LOOK_MS), 0.5)], 'cpu', 100, 10)).toMatch(/^M93\.3 10\.0L100\.0 5\.0$/u);
  // A longer time is drawn from edge to edge.
  expect(line([sample(0, 1), sample(2 * LEAST_MS, 1)], 'cpu', 100, 10)).toMatch(/^M0\.0 .*M100\.0 /u);
  expect(line([sample(at(0), 3)], 'cpu', 100, 10)).toBe('M100.0 0.0');
  expect(line([sample(at(0), 1), sample(at(1), null), sample(at(2), 1)], 'cpu', 100, 10)).not.toContain('L');
  expect(line([sample(at(0), 1), sample(at(10 * LOOK_MS), 1)], 'cpu', 100, 10)).not.toContain('L');
  expect(line([], 'memory', 100, 10)).toBe('');
});

test('it looks while it is watched, keeps what it knew after an error, and stops', async () => {
  vi.useFakeTimers();
  let watched = true;
  let down = false;
  const asked: string[] = [];
  const machine = createMachine({
    client: {
      get: async (path) => {
        asked.push(path);
        if (down) throw new ApiError('unreachable', 0, { code: null, title: null, detail: null });
        return { resources: { cores: 1, load: 0.5 } };
      },
    },
    timers: { set: (action, ms) => setTimeout(action, ms), clear: (timer) => clearTimeout(timer as number), now: () => Date.now() },
    isWatched: () => watched,
  });
  const stop = machine.watch();
  await vi.advanceTimersByTimeAsync(SECOND_MS + LOOK_MS);
  expect(asked).toEqual(Array.from({ length: 3 }, () => '/api/status?parts=resources,storage'));
  down = true;
  await vi.advanceTimersByTimeAsync(LOOK_MS);
  expect([machine.error.value?.kind, machine.samples.value.length, machine.newest.value?.load]).toEqual(['unreachable', 3, 0.5]);
  watched = false;
  await vi.advanceTimersByTimeAsync(5 * LOOK_MS);
  expect(asked).toHaveLength(4);
  watched = true;
  stop();
  await vi.advanceTimersByTimeAsync(5 * LOOK_MS);
  expect(asked).toHaveLength(4);
  vi.useRealTimers();
});
