// What the browser suites share: how they speak with the test that started them, and what no page may do.
//
// A script writes one JSON object a line for what only the test can do, and reads one JSON value in answer.

import assert from 'node:assert/strict';
import { createInterface } from 'node:readline';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { launch, launchProfile } from '../dev/browser.mjs';

export const { LINK } = process.env;
export const PHONE = { viewport: { width: 393, height: 852 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true };
export const DESK = { viewport: { width: 1280, height: 800 } };
export const id = (name) => `[data-testid="${name}"]`;

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

/** Asks the test to do something; its answer. */
export async function ask(step, more = {}) {
  console.log(JSON.stringify({ step, ...more }));
  const { value, done } = await lines.next();
  assert.ok(!done, `the test went away at ${step}`);
  try {
    return JSON.parse(value);
  } catch {
    return value;
  }
}

/** What the console said, and which strangers were asked: both must stay empty. */
export const problems = [];

/** That the network is away is no fault of the page. */
const NETWORK = /Failed to load resource|WebSocket connection|net::ERR_/u;

/** A browser of its own with one page, whose every word is kept in `problems`. */
export async function open(browser, options = {}) {
  return pageOf(await browser.newContext({ ...LOOK, ...options }));
}

/** The same in a browser that remembers, as a person's does: only there an app can be installed. */
export async function openRemembering(options = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'room-profile-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  return pageOf(await launchProfile(folder, { ...LOOK, ...options }));
}

const LOOK = { ...PHONE, permissions: ['clipboard-read', 'clipboard-write'], locale: 'en-IE' };

async function pageOf(context) {
  context.on('request', (request) => {
    const url = new URL(request.url());
    if (url.protocol.startsWith('http') && url.origin !== new URL(LINK).origin) problems.push(`foreign request: ${url}`);
  });
  const page = await context.newPage();
  watch(page);
  return page;
}

export function watch(page, into = problems) {
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type()) && !NETWORK.test(message.text())) into.push(message.text());
  });
  page.on('pageerror', (error) => into.push(error.message));
}

/** What of the page before this one the browser had stored when this one began: read before any script of it. */
export async function keepWhatWasStored(context) {
  await context.addInitScript(() => {
    globalThis.stored = JSON.stringify({ ...localStorage, ...sessionStorage, state: history.state });
  });
}
export const whatWasStored = (page) => page.evaluate(() => globalThis.stored);

export const live = (page, timeout = 20_000) => page.waitForSelector('[data-testid=link-chip][data-phase=live]', { timeout });
export const phase = (page) => page.getAttribute(id('link-chip'), 'data-phase');

/** The page is in the worker's hands, and everything is kept. */
export async function controlled(page) {
  await page.waitForFunction(() => navigator.serviceWorker.controller?.state === 'activated');
}

/** Asks again until it holds; how long that took, in milliseconds. */
export async function until(what, holds, withinMs) {
  const start = performance.now();
  let last;
  while (performance.now() - start < withinMs) {
    last = await holds();
    if (last) return performance.now() - start;
    await new Promise((resolve) => void setTimeout(resolve, 25));
  }
  throw new assert.AssertionError({ message: `${what}: not within ${withinMs} ms` });
}

/** Runs the parts in order, each by name; the first that fails ends it. */
export async function suite(parts, options = {}) {
  const browser = options.browser ?? (await launch());
  let name = 'start';
  try {
    for (const [part, walk] of Object.entries(parts)) {
      name = part;
      const start = performance.now();
      await walk(browser);
      console.error(`  ok    ${part} (${Math.round(performance.now() - start)} ms)`);
    }
    assert.deepEqual(problems, []);
    await ask('done');
  } catch (error) {
    console.error(`  FAIL  ${name}:`, error, problems);
    process.exitCode = 1;
  } finally {
    await browser.close();
  }
  process.exit();
}
