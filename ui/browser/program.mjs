// A person with a phone whose Room knows a provider of their own, and has not got its program: the Room installs
// it, and the person signs in with it. Started by `tests/it/browser/programs.rs`, which is the registry and the
// vendor.

import assert from 'node:assert/strict';
import { ask, id, LINK, live, open, suite } from './stage.mjs';

let page;

await suite({
  async 'what is missing is installed with two taps'(browser) {
    page = await open(browser);
    await page.goto(LINK);
    await live(page);
    await page.waitForSelector(`${id('needs-you')} >> text=Acme is not installed`);
    await page.click(id('needs-acme'));
    await page.waitForSelector(id('get-acme'));
    assert.equal(await page.locator(id('start')).count(), 0, 'nobody signs in with what is not there');
    await page.click(id('get-acme'));
    await page.waitForSelector(id('start'), { timeout: 20_000 });
    assert.equal(await page.locator(id('get-acme')).count(), 0);
  },

  async 'and signs in'() {
    await page.click(id('start'));
    await page.waitForSelector(id('device-code'));
    const link = await page.getAttribute(id('copy-and-open'), 'href');
    assert.equal(link, 'https://login.acme.example/device');
    await ask('agree', { code: await page.textContent(id('device-code')) });
    await page.waitForSelector(id('login-done'));
    await page.click(id('tab-providers'));
    await page.waitForSelector(`${id('provider-acme-state')}[data-state=connected]`);
    assert.match(await page.textContent(id('provider-acme')), /2\.4\.0/u);
    await page.click(id('tab-settings'));
    await page.waitForSelector(`${id('programs')} >> text=2.4.0`);
    await page.click(id('tab-activity'));
    await page.waitForSelector('[data-action="provider.installed"][data-outcome=ok]');
  },
});
