// A second build arrives under an open page: offered, taken on a tap with one reload, and refused nothing
// it had meanwhile. The second build is a true one, of the same sources with one word changed.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { watch, within } from './clock.mjs';
import { ask, controlled, id, keepWhatWasStored, LINK, live, open, suite, until, whatWasStored } from './stage.mjs';

const base = new URL(LINK).origin;
const room = new URL('..', import.meta.url).pathname;
const work = mkdtempSync(join(tmpdir(), 'room-ui-'));
const dist = join(work, 'dist');
const WORD = 'Settings of the second build';
process.on('exit', () => rmSync(work, { recursive: true, force: true }));

async function secondBuild() {
  for (const name of ['src', 'public', 'scripts', 'index.html', 'package.json', 'tsconfig.json', 'vite.config.ts']) {
    cpSync(join(room, name), join(work, name), { recursive: true });
  }
  symlinkSync(join(room, 'node_modules'), join(work, 'node_modules'));
  const words = join(work, 'src/text/en/more.ts');
  const text = readFileSync(words, 'utf8');
  const changed = text.replace("    title: 'Settings',", `    title: '${WORD}',`);
  assert.notEqual(changed, text);
  writeFileSync(words, changed);
  const options = { cwd: work, env: { ...process.env, UI_OUT_DIR: dist }, };
  await promisify(execFile)('npm', ['run', '--silent', 'build'], options);
  return JSON.parse(readFileSync(join(dist, 'build.json'), 'utf8')).build;
}

const builtAs = (target) => target.getAttribute('meta[name=room-build]', 'content');
const caches = (target) => target.evaluate(() => globalThis.caches.keys());
/** How often the page was loaded since the count began. */
function loads(target) {
  const count = { value: 0 };
  target.on('domcontentloaded', () => {
    count.value += 1;
  });
  return count;
}

/** It is made while the first one is looked at. */
const built = secondBuild();
built.catch(() => null);
const HALF = 'half-a-code-and';
const OWN = 'another-half-and';
const registered = (target) => target.evaluate(() => navigator.serviceWorker.getRegistration().then((found) => found.active?.scriptURL ?? ''));

/** How the page gets each of these from the worker, the browser's own cache apart: or what the Room says of it. */
const fetched = (target, paths) =>
  target.evaluate((all) => Promise.all(all.map((path) => fetch(path, { cache: 'no-store' }).then((answer) => answer.status))), paths);
let gone;

let page;
let other;
let first;
let second;
let counted;
let untouched;

await suite({
  async 'two pages of the first build are open, one with something half typed'(browser) {
    page = await open(browser);
    await keepWhatWasStored(page.context());
    await page.goto(LINK);
    await live(page);
    await controlled(page);
    first = await builtAs(page);
    assert.deepEqual(await caches(page), [`room-${first}`]);
    other = await page.context().newPage();
    await other.goto(`${base}/providers/claude/connect`);
    await live(other);
    await other.click(id('start'));
    await other.fill(`${id('paste-input')}:enabled`, HALF);
    await page.bringToFront();
    counted = loads(page);
    untouched = loads(other);
  },

  async 'control: a Room that returns as it was offers nothing'() {
    await ask('stop');
    await page.waitForSelector(`${id('link-chip')}:not([data-phase=live])`);
    await ask('start');
    await live(page);
    await page.evaluate(() => navigator.serviceWorker.ready);
    assert.equal(await page.locator(id('update')).count(), 0);
    const waiting = await page.evaluate(async () => (await navigator.serviceWorker.getRegistration()).waiting);
    assert.equal(waiting, null);
  },

  async 'the next build is offered soon after coming back'() {
    second = await built;
    assert.notEqual(second, first);
    await ask('stop');
    await page.waitForSelector(`${id('link-chip')}:not([data-phase=live])`);
    const greeted = new Promise((resolve) => {
      const greeting = ({ payload }) => String(payload).includes('"hello"') && resolve(watch());
      page.on('websocket', (socket) => socket.on('framereceived', greeting));
    });
    await ask('start', { set: { DASHBOARD_OF_A_TEST: dist } });
    const stop = await greeted;
    await page.waitForSelector(id('update'), { timeout: 60_000 });
    within(5_000, 'offered', stop);
    assert.deepEqual([counted.value, untouched.value], [0, 0], 'no page loads itself anew');
    assert.equal(await builtAs(page), first);
  },

  async 'until then the old parts are there, though the Room has them no more'() {
    const kept = await page.evaluate(async (name) => {
      const requests = await (await globalThis.caches.open(name)).keys();
      return requests.map((request) => new URL(request.url).pathname).filter((path) => path.startsWith('/assets/'));
    }, `room-${first}`);
    gone = [];
    for (const path of kept) if ((await fetch(base + path)).status === 404) gone.push(path);
    assert.ok(gone.length > 0, 'the builds differ in their parts');
    assert.deepEqual(new Set(await fetched(page, gone)), new Set([200]));
    await page.click(id('tab-settings'));
    assert.equal(await page.textContent('h1'), 'Settings');
  },

  async 'no offer disturbs a sign-in'() {
    await other.bringToFront();
    await live(other);
    assert.equal(await other.locator(id('update')).count(), 0);
    await page.bringToFront();
  },

  async 'a tap brings the new build with one reload, and the old one is gone'() {
    await page.click(id('tab-providers'));
    await page.click(id('connect-claude'));
    await page.fill(`${id('paste-input')}:enabled`, OWN);
    await page.click(id('tab-settings'));
    await page.click(`${id('update')} button`);
    await page.waitForFunction((build) => document.querySelector('meta[name=room-build]')?.content === build, second);
    await live(page);
    await page.waitForSelector('h1');
    assert.equal(await page.textContent('h1'), WORD, 'on the page where one was');
    assert.equal(counted.value, 1);
    assert.equal(await page.locator(id('update')).count(), 0);
    const between = await whatWasStored(page);
    assert.ok(between.includes('room.drafts') && !between.includes(OWN), between);
    await page.click(id('tab-providers'));
    await page.click(id('continue-claude'));
    await until('what was typed', async () => (await page.inputValue(id('paste-input'))) === OWN, 30_000);
    await page.fill(id('paste-input'), '');
    await page.click(id('tab-settings'));
    assert.equal(untouched.value, 0, 'the other page goes on as it is');
    // Where the browser takes its time over the worker, the page comes first.
    await until('one worker for both', async () => (await registered(page)).includes(second), 60_000);
  },

  async 'a page of the old build keeps its parts and what is typed in it, until it is closed'() {
    assert.deepEqual(new Set(await fetched(other, gone)), new Set([200]));
    assert.equal(await builtAs(other), first);
    await other.close();
    // Whoever greets the Room next sweeps up.
    await page.reload();
    await until('the old build goes', async () => (await caches(page)).join() === `room-${second}`, 30_000);
    // Control: with the build, its parts are gone.
    assert.deepEqual(new Set(await fetched(page, gone)), new Set([404]));
    assert.equal(counted.value, 2, 'and loads are counted');
  },

  async 'told to keep nothing, browsers forget the page'() {
    await ask('stop');
    await ask('start', { set: { ROOM_SERVICE_WORKER: 'off' } });
    await live(page);
    // Any visit asks for the worker again, and is given the one that ends it: not by a question that was under way.
    const over = () =>
      page.evaluate(async () => {
        void (await navigator.serviceWorker.getRegistration())?.update().catch(() => null);
        return (await navigator.serviceWorker.getRegistrations()).length === 0 && (await globalThis.caches.keys()).length === 0;
      });
    await until('forgotten', over, 30_000);
    const answer = await page.reload();
    assert.ok(!answer.fromServiceWorker());
    await live(page);
  },
});
