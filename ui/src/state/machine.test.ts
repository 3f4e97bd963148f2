import { expect, test, vi } from 'vitest';
import { ApiError } from '../api/client';
import { readFigures } from '../api/machine';
import { createMachine, kept, LEAST_MS, line, LOOK_MS, sampleOf, WINDOW_MS, type Sample } from './machine';

const figures = (resources: unknown, storage: unknown = {}) => readFigures({ generatedAt: '2026-11-20T10:00:00.000Z', resources, storage });
const sample = (at: number, cpu: number | null): Sample => ({ at, cpu, memory: null });

test('parts are of the whole, and the unknown is not zero', () => {
  const known = figures({ cores: 2, load: 0.5, memoryBytes: 400, availableBytes: 100 });
  expect(sampleOf(known, 7)).toEqual({ at: 7, cpu: 0.25, memory: 0.75 });
  expect(sampleOf(figures({ cores: 2, load: null, memoryBytes: null }), 7)).toEqual({ at: 7, cpu: null, memory: null });
  expect(sampleOf(figures({ cores: 0, load: 1, memoryBytes: 0, availableBytes: 0 }), 7)).toEqual({ at: 7, cpu: null, memory: null });
});

test('samples leave with the window, and a clock that went back takes nothing along', () => {
  const list = kept([sample(0, 1), sample(10, 1)], sample(WINDOW_MS + 5, 1));
  expect(list.map(({ at }) => at)).toEqual([10, WINDOW_MS + 5]);
  expect(kept([sample(100, 1)], sample(50, 1)).map(({ at }) => at)).toEqual([50]);
});

test('the line ends at the right edge, stays in the picture, and breaks where nothing is known', () => {
  const at = (ms: number) => WINDOW_MS + ms;
  expect(line([sample(at(0), 0), sample(at(LOOK_MS), 0.5)], 'cpu', 1, 100, 10)).toMatch(/^M93\.3 10\.0L100\.0 5\.0$/u);
  // A longer time is drawn from edge to edge.
  expect(line([sample(0, 1), sample(2 * LEAST_MS, 1)], 'cpu', 1, 100, 10)).toMatch(/^M0\.0 .*M100\.0 /u);
  expect(line([sample(at(0), 3)], 'cpu', 1, 100, 10)).toBe('M100.0 0.0');
  expect(line([sample(at(0), 1), sample(at(1), null), sample(at(2), 1)], 'cpu', 1, 100, 10)).not.toContain('L');
  expect(line([sample(at(0), 1), sample(at(10 * LOOK_MS), 1)], 'cpu', 1, 100, 10)).not.toContain('L');
  expect(line([], 'memory', 1, 100, 10)).toBe('');
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
  await vi.advanceTimersByTimeAsync(2 * LOOK_MS);
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
