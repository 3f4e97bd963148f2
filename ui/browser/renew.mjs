// A hosted sign-in that ends soon: renewed by a visit to the control plane, unasked only where it takes nothing
// out of anyone's hands, and with what is half typed there afterwards.

import assert from 'node:assert/strict';
import { ask, id, keepWhatWasStored, LINK, live, open, problems, suite, until, whatWasStored } from './stage.mjs';

const base = new URL(LINK).origin;
const HALF = 'half-a-code-and';
/** The Room's own answer, less a day. */
const SOON = new Date(Date.now() + 10 * 60_000).toISOString();

let page;
let plane;
/** How often the page was loaded since it was there first. */
let loads = 0;

const stored = () => page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }));

/** Nobody looks at the page, which is when it would leave; headless browsers are never hidden, so it is told. */
function hide(value) {
  return page.evaluate((state) => {
    Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => state });
    document.dispatchEvent(new Event('visibilitychange'));
  }, value);
}

/** It comes out of another's memory, a moment after the field is there. */
const untilTyped = (text) => until('what was typed', async () => (await page.inputValue(id('paste-input'))) === text, 30_000);

/** There and back, with what `leave` does. */
async function roundTrip(leave) {
  const before = loads;
  await leave();
  await until('it is back', () => loads > before && page.url().startsWith(base), 30_000);
  await live(page);
}

await suite({
  async 'someone is signed in, here and at the control plane'(browser) {
    page = await open(browser);
    await keepWhatWasStored(page.context());
    plane = (await (await fetch(`${base}/api/bootstrap`)).json()).controlPlaneUrl;
    const there = await page.context().newPage();
    await there.goto(`${plane}/sign-in?as=owner`);
    await live(there);
    await there.close();
    await page.context().route('**/api/auth/verify', async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, json: { ...(await response.json()), expiresAt: SOON } });
    });
    await page.goto(`${base}/providers`);
    await live(page);
    await page.waitForSelector(id('renew'));
    page.on('domcontentloaded', () => {
      loads += 1;
    });
  },

  async 'a page that nobody looks at stays, while a field has text in it'() {
    await page.click(id('others-codex'));
    await page.click(id('use-key-codex'));
    await page.fill(id('key-input-codex'), 'sk-proj-half');
    // Wherever the focus is.
    await page.focus('h1');
    await hide('hidden');
    await page.evaluate(() => new Promise((resolve) => void setTimeout(resolve, 300)));
    assert.equal(loads, 0);
    assert.equal(await page.inputValue(id('key-input-codex')), 'sk-proj-half');
  },

  async 'control: with the field empty it goes, comes back to where it was, and does so once'() {
    await page.fill(id('key-input-codex'), '');
    const path = new URL(page.url()).pathname;
    await roundTrip(() => hide('hidden'));
    assert.equal(new URL(page.url()).pathname, path);
    assert.ok(!(await stored()).includes('sk-proj'), 'a key is kept nowhere');
    const count = loads;
    await hide('hidden');
    await page.evaluate(() => new Promise((resolve) => void setTimeout(resolve, 300)));
    assert.equal(loads, count);
    await hide('visible');
  },

  async 'who renews it by hand finds half a code where it was'() {
    await page.goto(`${base}/providers/claude/connect`);
    await live(page);
    await page.click(id('start'));
    await page.fill(`${id('paste-input')}:enabled`, HALF);
    await page.waitForSelector(id('renew-now'));
    assert.ok(!(await stored()).includes(HALF), 'kept nowhere but here');
    await roundTrip(() => page.click(id('renew-now')));
    assert.equal(new URL(page.url()).pathname, '/providers/claude/connect');
    await page.waitForSelector(`${id('paste-input')}:enabled`);
    await untilTyped(HALF);
    assert.ok(!(await stored()).includes(HALF), 'nothing of it is left behind');
    // A one-time code is written to no storage, on the way neither: there is a ticket for it, good once.
    const between = await whatWasStored(page);
    assert.ok(between.includes('room.drafts') && !between.includes(HALF), between);
    await page.reload();
    await page.waitForSelector(`${id('paste-input')}:enabled`);
    await untilTyped(HALF);
    const again = await whatWasStored(page);
    assert.ok(again.includes('room.drafts') && !again.includes(HALF), again);
  },

  async 'where no worker can hold it, the browser asks before it is lost, and stores none of it'(browser) {
    const bare = await open(browser);
    await keepWhatWasStored(bare.context());
    // As in a private window of some browsers.
    await bare.addInitScript(() => Object.defineProperty(navigator, 'serviceWorker', { value: undefined }));
    await bare.goto(await ask('link'));
    await live(bare);
    await bare.click(id('tab-providers'));
    await bare.click(id('continue-claude'));
    await bare.fill(`${id('paste-input')}:enabled`, HALF);
    const asked = [];
    bare.on('dialog', (dialog) => {
      asked.push(dialog.type());
      void dialog.accept();
    });
    await bare.reload();
    assert.deepEqual(asked, ['beforeunload']);
    assert.ok(!(await whatWasStored(bare)).includes(HALF));
    await bare.waitForSelector(`${id('paste-input')}:enabled`);
    assert.equal(await bare.inputValue(id('paste-input')), '');
    // Control: with nothing typed nobody is asked.
    await bare.reload();
    await live(bare);
    assert.deepEqual(asked, ['beforeunload']);
    await bare.context().close();
    await page.click(id('cancel'));
    await page.waitForSelector(id('canceled'));
  },

  async 'nobody else was asked'() {
    const strangers = problems.splice(0);
    assert.ok(strangers.length > 0 && strangers.every((one) => one.startsWith(`foreign request: ${plane}/`)), String(strangers));
  },
});
