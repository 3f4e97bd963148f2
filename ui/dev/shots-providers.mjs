// The screens of the providers' page: how each stands, its program, its key, its end; for shots.mjs.

export function providerScreens({ base, say, id, IN, OUT, ago }) {
  const screens = {
    providers: {
      async go(page) {
        await page.goto(`${base}/providers`);
        await page.waitForSelector(id('connect-claude'));
      },
    },
    'providers-mixed': {
      async go(page) {
        await say({
          codexStatus: { ...IN, version: '0.144.5', versionNote: 'tested with 0.169.0' },
          claudeStatus: { installed: false, version: null },
        });
        await page.goto(`${base}/providers`);
        await page.waitForSelector(id('get-claude'));
        await page.click(id('verify-codex'));
        await page.waitForSelector(id('outcome-codex'));
      },
    },
    disconnect: {
      async go(page) {
        await say({ codexStatus: IN });
        await page.goto(`${base}/providers`);
        await page.click(id('disconnect-codex'));
        await page.waitForSelector(id('confirm'));
      },
    },
    disconnected: {
      async go(page) {
        await screens.disconnect.go(page);
        await page.click(id('confirm-yes'));
        await page.waitForSelector(id('removed'));
      },
    },
    'providers-keys': {
      async go(page) {
        const key = { kind: 'api_key', last4: 'x7Qa', storedAt: ago(3_600_000), storage: 'sealed', source: 'person', checkedAt: ago(60_000), valid: true };
        await say({
          codexStatus: { ...OUT, connected: true, method: 'api_key', apiKey: { ...key, storage: 'program', source: 'environment', valid: null, checkedAt: null } },
          claudeStatus: { ...OUT, connected: true, method: 'oauth_token', apiKey: { ...key, kind: 'token', storage: 'memory' } },
          gh: { account: 'octo…' },
        });
        await page.goto(`${base}/providers`);
        await page.waitForSelector(id('key-claude'));
      },
    },
    'providers-old': {
      async go(page) {
        await say({
          codexStatus: { ...OUT, version: '0.99.0', versionNote: 'too old, tested with 0.169.0', tooOld: true },
          claudeStatus: { ...IN, version: '2.1.197', versionNote: 'tested with 2.1.329', updateAvailable: true, expiresAt: ago(-86_400_000) },
        });
        await page.goto(`${base}/providers`);
        await page.waitForSelector(id('update-codex'));
        await page.waitForSelector(id('update-claude'));
      },
    },
    'install-offer': {
      async go(page) {
        await say({ codexStatus: { installed: false, version: null } });
        await page.goto(`${base}/providers/codex/connect`);
        await page.click(`${id('by-hand-codex')} summary`);
      },
    },
    installing: {
      async go(page) {
        await say({ codexStatus: { installed: false, version: null } });
        await page.goto(`${base}/providers`);
        await page.click(id('get-codex'));
        await page.waitForSelector('progress');
        await page.waitForFunction(() => document.querySelector('progress')?.value >= 40);
      },
    },
    installed: {
      async go(page) {
        await say({ codexStatus: { installed: false, version: null } });
        await page.goto(`${base}/providers/codex/connect`);
        await page.click(id('get-codex'));
        await page.waitForSelector(id('start'), { timeout: 8_000 });
      },
    },
    'install-integrity': {
      async go(page) {
        await say({ codexStatus: { installed: false, version: null }, install: 'integrity' });
        await page.goto(`${base}/providers`);
        await page.click(id('get-codex'));
        await page.waitForSelector('[data-code=integrity]');
      },
    },
    'install-not-here': {
      async go(page) {
        await say({ codexStatus: { installed: false, version: null }, install: 'not_installable' });
        await page.goto(`${base}/providers`);
        await page.click(id('get-codex'));
        await page.waitForSelector(id('not-installable-codex'));
      },
    },
    'claude-ways': {
      async go(page) {
        await page.goto(`${base}/providers`);
        await page.click(id('others-claude'));
        await page.waitForSelector(id('use-key-claude'));
      },
    },
    'key-form': {
      async go(page) {
        await page.goto(`${base}/providers`);
        await page.click(id('others-claude'));
        await page.click(id('use-key-claude'));
        await page.fill(id('key-input-claude'), 'sk-ant-api03-abcdefghijklmnop-x7Qa');
      },
    },
    'key-format': {
      async go(page) {
        await page.goto(`${base}/providers`);
        await page.click(id('others-claude'));
        await page.click(id('use-key-claude'));
        await page.fill(id('key-input-claude'), 'hello');
        await page.click(id('key-save-claude'));
        await page.waitForSelector('[data-code=key_format]');
      },
    },
    'key-replaces': {
      async go(page) {
        await say({ codexStatus: IN });
        await page.goto(`${base}/providers`);
        await page.click(id('again-codex'));
        await page.click(`${id('other-methods')} summary`);
        await page.click(id('use-key-codex'));
        await page.fill(id('key-input-codex'), 'sk-proj-abcdefghijkl');
        await page.click(id('key-save-codex'));
        await page.waitForSelector(id('key-replace'));
      },
    },
    'key-remove': {
      async go(page) {
        await screens['providers-keys'].go(page);
        await page.click(id('key-remove-claude'));
        await page.waitForSelector(id('confirm'));
      },
    },
    'key-tested': {
      async go(page) {
        await say({ key: false });
        await screens['providers-keys'].go(page);
        await page.click(id('key-test-claude'));
        await page.waitForSelector(id('outcome-claude'));
      },
    },
  };
  return screens;
}
