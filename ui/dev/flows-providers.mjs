// The other ways in, keys, installs and answers, as people do them, against the fake Room.

import assert from 'node:assert/strict';

export function providerFlows({ base, say, signedIn, id, clipboard, OUT }) {
  const kept = (page) => page.evaluate(() => JSON.stringify({ ...localStorage, ...sessionStorage }));

  async function otherWays(provider) {
    const page = await signedIn('/providers');
    await page.tap(id(`others-${provider}`));
    return page;
  }

  async function callback() {
    const page = await otherWays('codex');
    await page.tap(id('method-browser'));
    await page.waitForSelector(`${id('paste-input')}:enabled`);
    return page;
  }

  async function landedOn(page, more = {}) {
    const link = new URL(await page.getAttribute(id('open-link'), 'href'));
    const url = new URL(link.searchParams.get('redirect_uri'));
    url.search = new URLSearchParams({ code: 'ac_SECRET', scope: 'openid', state: link.searchParams.get('state') }).toString();
    return Object.assign(url, more).href;
  }

  return {
    async 'the address of the page that did not load is pasted, and finishes the sign-in'() {
      const page = await callback();
      assert.match(await page.textContent(id('callback-text')), /http:\/\/127\.0\.0\.1:1455 .*expected/u);
      const address = await landedOn(page);
      const sent = page.waitForRequest((request) => request.url().endsWith('/input'));
      // As a phone copies it: with a line break in it.
      await page.fill(id('paste-input'), ` ${address.slice(0, 40)} ${address.slice(40)}`);
      assert.equal(await page.locator(id('paste-warning')).count(), 0);
      await page.tap(id('paste-submit'));
      assert.deepEqual((await sent).postDataJSON(), { text: address });
      await page.waitForSelector(id('login-done'));
      assert.ok(!(await page.content()).includes('ac_SECRET'));
      assert.ok(!(await kept(page)).includes('ac_SECRET'));
    },

    async 'every wrong address is refused at the field, with what to do'() {
      const page = await callback();
      const wrong = [
        ['https://auth.openai.com/log-in', 'wrong_page', /very last page/u],
        [await landedOn(page, { port: '1457' }), 'other_port', /link on this screen/u],
        [await landedOn(page, { search: '?code=x&state=old' }), 'other_attempt', /link on this screen/u],
      ];
      for (const [address, code, words] of wrong) {
        await page.fill(id('paste-input'), address);
        await page.tap(id('paste-submit'));
        await page.waitForSelector(`${id('paste-error')}[data-code=${code}]`);
        assert.match(await page.textContent(id('paste-error')), words);
        assert.equal(await page.getAttribute(id('paste-input'), 'aria-invalid'), 'true');
      }
      await page.fill(id('paste-input'), 'https://auth.openai.com/log-in');
      await page.waitForSelector(id('paste-warning'));
      await page.fill(id('paste-input'), (await landedOn(page)).replace('http://', ''));
      assert.equal(await page.locator(id('paste-warning')).count(), 0, 'an address without its beginning is fine');
    },

    async 'a half-typed address survives a Room that goes and comes back'() {
      const page = await callback();
      await page.fill(id('paste-input'), 'http://127.0.0.1:1455/auth');
      await say({ stop: true });
      await page.waitForSelector('[data-testid=link-chip]:not([data-phase=live])');
      await say({ stop: false });
      await page.waitForSelector('[data-testid=link-chip][data-phase=live]', { timeout: 20_000 });
      assert.equal(await page.inputValue(id('paste-input')), 'http://127.0.0.1:1455/auth');
    },

    async 'an e-mail address goes with single sign-on, also with its next link'() {
      const page = await otherWays('claude');
      const asked = [];
      page.on('request', (request) => request.url().endsWith('/connect') && asked.push(request.postDataJSON()));
      await page.fill(id('email-claude-sso'), 'ada@example.com');
      await page.tap(id('method-sso'));
      await page.fill(id('paste-input'), 'bad-code#state');
      await page.tap(id('paste-submit'));
      await page.tap(id('action-fresh'));
      await page.waitForSelector(`${id('paste-input')}:enabled`);
      assert.deepEqual(asked, [
        { method: 'sso', email: 'ada@example.com' },
        { method: 'sso', email: 'ada@example.com' },
      ]);
    },

    async 'a long-lived token says where the Room keeps it'() {
      for (const storage of ['sealed', 'memory']) {
        await say({ storage, claudeStatus: { ...OUT, apiKey: null } });
        const page = await otherWays('claude');
        await page.tap(id('method-setup_token'));
        await page.fill(id('paste-input'), 'good#code');
        await page.tap(id('paste-submit'));
        await page.waitForSelector(`${id('done-token')}[data-storage=${storage}]`);
        assert.match(await page.textContent(id('done-token')), storage === 'sealed' ? /Sealed/u : /until the Room restarts/u);
        await page.context().close();
        await say({ reset: true });
      }
    },

    async 'a failed sign-in leads to the other ways'() {
      await say({ codex: 'policy' });
      const page = await signedIn('/providers');
      await page.tap(id('connect-codex'));
      await page.tap(id('action-other-way'));
      await page.waitForSelector(`${id('other-methods')}[open]`);
      await page.waitForSelector(id('use-key-codex'));
    },

    async 'a key is given once, shows its end alone, is tested and removed'() {
      const key = 'sk-ant-api03-abcdefghijklmnop-x7Qa';
      const page = await otherWays('claude');
      await page.tap(id('use-key-claude'));
      await page.evaluate((text) => navigator.clipboard.writeText(text), `${key}\n`);
      await page.tap(id('key-paste-claude'));
      const sent = page.waitForRequest((request) => request.method() === 'PUT');
      await page.tap(id('key-save-claude'));
      assert.deepEqual((await sent).postDataJSON(), { key });
      await page.waitForSelector(`${id('key-claude')}[data-storage=sealed]`);
      assert.match(await page.textContent(id('key-claude')), /x7Qa/u);
      assert.ok(!(await page.content()).includes('abcdefghijklmnop'), 'the key is nowhere on the page');
      assert.ok(!(await kept(page)).includes('abcdefghijklmnop'), 'nor in the browser');
      await page.tap(id('tab-providers'));
      await page.tap(id('key-test-claude'));
      await page.waitForSelector(`${id('outcome-claude')}.good`);
      await say({ key: false });
      await page.tap(id('key-test-claude'));
      await page.waitForSelector(`${id('outcome-claude')}.bad`);
      await page.tap(id('key-remove-claude'));
      assert.match(await page.textContent(id('confirm')), /x7Qa/u);
      await page.tap(id('confirm-yes'));
      await page.waitForSelector(id('connect-claude'));
      assert.equal(await page.locator(id('key-claude')).count(), 0);
    },

    async 'a key that is none is refused at the field'() {
      const page = await otherWays('codex');
      await page.tap(id('use-key-codex'));
      await page.fill(id('key-input-codex'), 'hello');
      await page.tap(id('key-save-codex'));
      await page.waitForSelector('[data-code=key_format]');
      assert.match(await page.textContent('[data-code=key_format]'), /sk-…/u);
      assert.equal(await page.inputValue(id('key-input-codex')), '');
    },

    async 'a key that takes the place of an account asks once'() {
      await say({ codexStatus: { ...OUT, connected: true, account: 'a…@example.com', method: 'chatgpt' } });
      const page = await signedIn('/providers');
      const asked = [];
      page.on('request', (request) => request.method() === 'PUT' && asked.push(request.postDataJSON()));
      await page.tap(id('again-codex'));
      await page.tap(`${id('other-methods')} summary`);
      await page.tap(id('use-key-codex'));
      await page.fill(id('key-input-codex'), 'sk-proj-0123456789');
      await page.tap(id('key-save-codex'));
      await page.tap(id('key-replace-yes'));
      await page.waitForSelector(`${id('key-codex')}[data-storage=program]`);
      assert.deepEqual(asked, [{ key: 'sk-proj-0123456789' }, { key: 'sk-proj-0123456789', replace: true }]);
    },

    async 'a key of the settings is not removed here, and says why'() {
      const key = { kind: 'api_key', last4: 'x7Qa', storedAt: null, storage: 'memory', source: 'environment', checkedAt: null, valid: null };
      await say({ claudeStatus: { ...OUT, connected: true, method: 'api_key', apiKey: key } });
      const page = await signedIn('/providers');
      await page.waitForSelector(id('key-injected-claude'));
      assert.equal(await page.locator(id('key-remove-claude')).count(), 0);
    },

    async 'a missing program is installed, with its progress, and then signs in'() {
      await say({ codexStatus: { installed: false, version: null } });
      const page = await signedIn();
      await page.tap(id('needs-codex'));
      await page.tap(id('get-codex'));
      await page.waitForFunction(() => document.querySelector('progress')?.value > 0);
      assert.match(await page.textContent(id('progress-codex')), /of 98 MB/u);
      await page.tap(id('start'));
      await page.waitForSelector(id('device-code'));
    },

    async 'an install is seen, and cancelled, from another browser'() {
      await say({ codexStatus: { installed: false, version: null }, pace: 3 });
      const first = await signedIn('/providers');
      const second = await signedIn('/providers', { viewport: { width: 1280, height: 800 } });
      await first.tap(id('get-codex'));
      await second.waitForSelector('progress');
      await second.click(id('cancel-install-codex'));
      await first.waitForSelector(`${id('install-ended-codex')}[data-status=canceled]`);
      await first.waitForSelector(id('get-codex'));
    },

    async 'a download that is not what it should be says so, and can be copied'() {
      await say({ codexStatus: { installed: false, version: null }, install: 'integrity' });
      const page = await signedIn('/providers');
      await page.tap(id('get-codex'));
      await page.waitForSelector(`${id('install-ended-codex')}[data-code=integrity]`);
      await page.tap(id('install-details-codex'));
      assert.match(await clipboard(page), /integrity/u);
      await say({ install: 'ok' });
      await page.tap(id('get-codex'));
      await page.waitForSelector(id('connect-codex'), { timeout: 10_000 });
    },

    async 'where the Room cannot install, it shows the command'() {
      await say({ codexStatus: { installed: false, version: null }, install: 'not_installable' });
      const page = await signedIn('/providers');
      await page.tap(id('get-codex'));
      await page.waitForSelector(id('not-installable-codex'));
      assert.match(await page.textContent(id('install-command-codex')), /npm install/u);
    },

    async 'a program that is too old is updated before it signs in'() {
      await say({ codexStatus: { ...OUT, version: '0.99.0', tooOld: true } });
      const page = await signedIn();
      assert.match(await page.textContent(id('needs-you')), /too old/u);
      await page.tap(id('tab-providers'));
      await page.waitForSelector(id('update-codex'));
      assert.equal(await page.locator(id('connect-codex')).count(), 0);
      await page.goto(`${base}/providers/codex/connect`);
      assert.equal(await page.isDisabled(id('start')), true);
      await page.tap(id('update-codex'));
      await page.waitForSelector(`${id('start')}:enabled`, { timeout: 10_000 });
    },

    async 'the owner answers a question that nobody taught the Room'() {
      await say({ codex: 'asks' });
      const page = await signedIn('/providers/codex/connect');
      await page.tap(id('start'));
      await page.waitForSelector(id('answer'));
      assert.match(await page.textContent(id('answer-screen')), /Your choice \[1\]/u);
      assert.equal(await page.locator(id('answer-input')).count(), 0, 'the warning comes first');
      await page.tap(id('answer-understood'));
      const sent = page.waitForRequest((request) => request.url().endsWith('/input'));
      await page.fill(id('answer-input'), '1');
      await page.press(id('answer-input'), 'Enter');
      assert.deepEqual((await sent).postDataJSON(), { text: '1', raw: true });
      await page.waitForSelector(id('device-code'));
      assert.equal(await page.locator(id('answer')).count(), 0);
    },

    async 'an unused extra program is listed, and does not nag'() {
      await say({ gh: {} });
      const page = await signedIn('/providers');
      await page.waitForSelector(id('provider-gh'));
      await page.tap(id('tab-overview'));
      await page.waitForSelector(id('providers-card'));
      assert.equal(await page.locator(id('needs-gh')).count(), 0);
      await page.goto(`${base}/providers/gh/connect`);
      await page.tap(id('start'));
      await page.waitForSelector(id('device-code'));
      assert.match(await page.textContent(id('copy-and-open')), /github\.com/u);
    },
  };
}
