// A person with a phone whose Room has no codex: one install that is not what it should be, one that is
// given up. Started by `tests/it/browser.rs`, which is the registry.
//
// LINK is the one-time link; HOW is `integrity` or `cancel`; VIEW, THEME and SHOTS as in `sign-in.mjs`.

import assert from 'node:assert/strict';
import { createInterface } from 'node:readline';
import { launch } from '../dev/browser.mjs';
import { watch, within } from './clock.mjs';

const { LINK, HOW, SHOTS, VIEW = 'phone', THEME = 'light' } = process.env;
const PHONE = { viewport: { width: 393, height: 852 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true };
const DESKTOP = { viewport: { width: 1280, height: 800 } };

const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const id = (name) => `[data-testid="${name}"]`;

async function ask(what) {
  console.log(JSON.stringify(what));
  return (await answers.next()).value;
}

const browser = await launch();
const context = await browser.newContext({
  ...(VIEW === 'phone' ? PHONE : DESKTOP),
  colorScheme: THEME,
  permissions: ['clipboard-read', 'clipboard-write'],
});
const page = await context.newPage();
const problems = [];
page.on('console', (message) => {
  if (['error', 'warning'].includes(message.type())) problems.push(message.text());
});
page.on('pageerror', (error) => problems.push(error.message));

async function shot(name) {
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(wide <= 0, `${name} scrolls sideways by ${wide} px`);
  if (SHOTS) await page.screenshot({ path: `${SHOTS}/${VIEW}-${THEME}-${name}.png` });
}

/** The whole of it, from what the first page says to the end of the download. */
const WAYS = {
  async integrity() {
    const ended = `${id('install-ended-codex')}[data-code=integrity]`;
    await page.waitForSelector(ended);
    await shot('install-integrity');
    await page.click(id('install-details-codex'));
    assert.match(await page.evaluate(() => navigator.clipboard.readText()), /Codex install: integrity/u);
    // Who comes back reads it too.
    await page.reload();
    await page.waitForSelector(ended);
  },
  async cancel() {
    await page.waitForSelector(id('progress-codex'));
    await shot('installing');
    await ask({ step: 'installing' });
    const stop = watch();
    await page.click(id('cancel-install-codex'));
    await page.waitForSelector(`${id('install-ended-codex')}[data-status=canceled]`);
    within(5_000, 'given up', stop);
    await shot('install-cancelled');
  },
};

try {
  await page.goto(LINK);
  await page.waitForSelector('[data-testid=link-chip][data-phase=live]');
  assert.match(await page.textContent(id('needs-you')), /Codex is not installed/u);
  await page.click(id('needs-codex'));
  await page.waitForSelector(id('get-codex'));
  assert.equal(await page.locator(id('start')).count(), 0, 'nobody signs in with what is not there');
  await shot('install');
  await page.click(id('get-codex'));
  await WAYS[HOW]();
  // The way by hand, and another try, are both there.
  await page.click(`${id('by-hand-codex')} summary`);
  assert.match(await page.textContent(id('install-command-codex')), /^npm install /u);
  await page.waitForSelector(`${id('get-codex')}:enabled`);
  await page.click(id('tab-overview'));
  await page.waitForSelector(`${id('recent-card')} >> text=/Install of Codex (?:failed|ended, cancelled)/`);
  assert.deepEqual(problems, []);
  await ask({ step: 'done' });
} catch (error) {
  if (SHOTS) await page.screenshot({ path: `${SHOTS}/${VIEW}-${THEME}-install-failed.png` });
  console.error(error, problems);
  process.exitCode = 1;
} finally {
  await browser.close();
}
process.exit();
