// Someone gives a hosted Room back: wipes it from a phone, reads the proof, and finds the way in again. PLANE is the
// control plane's address, or nothing for a Room that has none.

import assert from 'node:assert/strict';
import { AxeBuilder } from '@axe-core/playwright';
import { ask, DESK, id, LINK, live, open, problems, suite } from './stage.mjs';

const { PLANE } = process.env;
const base = new URL(LINK).origin;
let page;
let desk;

await suite({
  async 'the owner is signed in on two devices, and Codex in the Room'(browser) {
    page = await open(browser);
    if (PLANE) {
      await page.goto(`${PLANE}/sign-in?as=owner`);
      await page.waitForURL(`${base}/**`);
    } else {
      await page.goto(LINK);
    }
    await live(page);
    desk = await open(browser, DESK);
    await desk.goto(await ask('link'));
    await live(desk);
    await ask('sign in codex');
    assert.equal(await ask('signed in'), true);
  },

  async 'it is asked for by name, and anything else keeps everything'() {
    await page.click(id('tab-settings'));
    await page.click(id('wipe'));
    await page.waitForSelector(`${id('wipe-dialog')}[data-at=asking]`);
    const { violations } = await new AxeBuilder({ page }).setLegacyMode(true).analyze();
    assert.deepEqual(violations.map((found) => found.id), []);
    for (const typed of ['', 'inst', 'inst-2', 'yes']) {
      await page.fill(id('wipe-name'), typed);
      assert.equal(await page.isDisabled(id('wipe-yes')), true, typed);
      await page.press(id('wipe-name'), 'Enter');
    }
    await page.click(id('wipe-no'));
    await page.waitForSelector(id('wipe-dialog'), { state: 'detached' });
    assert.equal(await ask('signed in'), true);
    assert.equal(await page.getAttribute(id('link-chip'), 'data-phase'), 'live');
  },

  async 'once it is named everything goes, and the page shows what was found afterwards'() {
    await page.click(id('wipe'));
    // As a phone writes it.
    await page.fill(id('wipe-name'), ' Inst-1 ');
    await page.press(id('wipe-name'), 'Enter');
    await page.waitForSelector(`${id('wipe-dialog')}[data-at=ended]`);
    for (const counted of ['devices', 'sessions', 'keys', 'credentials', 'backups']) {
      assert.equal(await page.textContent(id(`left-${counted}`)), '0', counted);
    }
    assert.match(await page.textContent(id('wipe-dialog')), /This Room is wiped/u);
    assert.match(await page.textContent(id('wipe-providers')), /Codex\s*signed out.*auth\.json/u);
    assert.equal(await ask('signed in'), false, 'and it is true');
    await page.getByRole('button', { name: 'Copy this proof' }).click();
    const proof = JSON.parse(await page.evaluate(() => navigator.clipboard.readText()));
    assert.deepEqual([proof.ok, proof.left.credentials, proof.providers.every((row) => row.ok)], [true, 0, true]);
  },

  async 'both browsers are signed out, with a way in on the screen'() {
    await desk.waitForSelector('[data-reason=revoked]');
    await page.waitForSelector('[data-reason=revoked]', { state: 'attached' });
    await page.click(id('wipe-close'));
    await page.waitForSelector(id('wipe-dialog'), { state: 'detached' });
    assert.equal(await page.isVisible('[data-reason=revoked]'), true);
    for (const browser of [page, desk]) {
      assert.equal(await browser.evaluate(() => fetch('/api/auth/verify').then((answer) => answer.status)), 401, 'what they still hold lets nobody in');
    }
  },

  async 'whoever may comes in again, to a Room in which nobody is signed in'() {
    if (PLANE) {
      await page.click(id('launch'));
    } else {
      assert.equal(await page.textContent(id('pair-command')), 'room pair');
      await page.waitForSelector(id('pair-form'));
      await page.goto(await ask('link'));
    }
    await live(page);
    await page.click(id('tab-activity'));
    await page.waitForSelector('[data-action="instance.wipe"][data-outcome=ok]');
    await page.click(id('tab-overview'));
    await page.waitForSelector(id('needs-codex'));
    await page.click(id('tab-access'));
    await page.waitForSelector(id('people'));
    assert.equal(await page.locator(`${id('people')} li`).count(), 1, 'this device and no other');
    const strangers = problems.splice(0);
    assert.ok(strangers.every((one) => PLANE && one.startsWith(`foreign request: ${PLANE}/`)), String(strangers));
  },
});
