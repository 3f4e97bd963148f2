// How long something takes that was promised within a time, on a machine that does other things as well.
//
// A promise is about the page and its Room, not about who else wants the processor. Linux counts for each thread
// how long it stood ready and was not let on, so a watch takes that off what the clock says: of the test, the
// browser and the Room, which all descend from the test. Whichever thread stands in line, it is taken off, so on a
// busy machine this is lenient; on an idle one it is the clock. What waits for a timer, for an answer or for
// nothing at all stands in no line, and is counted wherever it is. Where there are no such counts, nothing is taken off.

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';

/** The test's own process; under plain `cargo test` all tests are one, and each is given the others' lines too. */
const TEST = process.ppid;
const TICKS_A_SECOND = 100;

const read = (path) => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // It has ended meanwhile.
    return '';
  }
};
const list = (path) => {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
};

/** A process and everything it started. */
function family(root) {
  const children = new Map();
  for (const pid of list('/proc').filter((name) => /^\d+$/u.test(name))) {
    const parent = Number(/\) \S (\d+)/u.exec(read(`/proc/${pid}/stat`))?.[1]);
    children.set(parent, [...(children.get(parent) ?? []), Number(pid)]);
  }
  const found = [root];
  for (const pid of found) found.push(...(children.get(pid) ?? []));
  return found;
}

/** By thread, for how many milliseconds it has stood in line. */
function lines(root) {
  const waited = new Map();
  for (const pid of family(root)) {
    for (const thread of list(`/proc/${pid}/task`)) {
      const [, delay] = read(`/proc/${pid}/task/${thread}/schedstat`).split(' ');
      if (delay !== undefined) waited.set(thread, Number(delay) / 1e6);
    }
  }
  // What a host took from this machine, its threads know nothing of.
  const stolen = Number(/^cpu +(?:\d+ ){7}(\d+)/u.exec(read('/proc/stat'))?.[1] ?? 0);
  return waited.set('stolen', (stolen * 1000) / TICKS_A_SECOND);
}

/** Starts a watch; what it returns stops it. */
export function watch(root = TEST) {
  const start = performance.now();
  let [at, known, inLine] = [start, lines(root), 0];
  const look = () => {
    const [now, found] = [performance.now(), lines(root)];
    const waits = [...found].map(([thread, waited]) => waited - (known.get(thread) ?? 0)).filter((wait) => wait > 0);
    // Many stand in line at once, but no longer than the time that has passed: or than one who has stood there
    // since before and was let on just now.
    inLine += Math.min(waits.reduce((sum, wait) => sum + wait, 0), Math.max(now - at, ...waits));
    [at, known] = [now, found];
  };
  // What a thread has waited is gone with it.
  const looking = setInterval(look, 50);
  return () => {
    const wall = performance.now() - start;
    clearInterval(looking);
    look();
    return { wall, inLine, took: Math.max(0, wall - inLine) };
  };
}

/** Stops a watch: what it watched must have taken no longer than what is promised. */
export function within(promisedMs, what, stop) {
  const { wall, inLine, took } = stop();
  const text = `${what}: ${Math.round(took)} ms (${Math.round(wall)} by the clock, ${Math.round(inLine)} in line for a processor)`;
  console.error(`        ${text}`);
  assert.ok(took <= promisedMs, `promised within ${promisedMs} ms: ${text}`);
}
