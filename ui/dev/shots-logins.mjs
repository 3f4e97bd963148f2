// The screens of a sign-in to a provider, from its start to each of its ends, for shots.mjs.

export function loginScreens({ base, say, id, IN, code, link }) {
  async function failing(page, how) {
    await say({ codex: how });
    await page.goto(`${base}/providers/codex/connect`);
    await page.click(id('start'));
    await page.waitForSelector(id('failure'));
  }

  const screens = {
    'codex-start': {
      async go(page) {
        await page.goto(`${base}/providers/codex/connect`);
        await page.waitForSelector(id('start'));
      },
    },
    'claude-start': {
      async go(page) {
        await page.goto(`${base}/providers/claude/connect`);
        await page.waitForSelector(id('start'));
        await page.click('summary');
      },
    },
    'codex-missing': {
      async go(page) {
        await say({ codexStatus: { installed: false, version: null } });
        await page.goto(`${base}/providers/codex/connect`);
        await page.waitForSelector('[data-code=not_installed]');
      },
    },
    'codex-preparing': {
      async go(page) {
        await say({ pace: 1000 });
        await page.goto(`${base}/providers/codex/connect`);
        await page.click(id('start'));
        await page.waitForSelector(id('preparing'));
      },
    },
    'codex-silent': {
      async go(page) {
        await say({ codex: 'silent' });
        await page.goto(`${base}/providers/codex/connect`);
        await page.click(id('start'));
        await page.waitForSelector('[data-code=no_answer]');
      },
    },
    'codex-code': { go: (page) => code(page) },
    'codex-code-open': {
      async go(page) {
        await code(page);
        if (await page.isVisible(id('show-qr'))) {
          await page.click(id('show-qr'));
          await page.waitForSelector(id('qr'));
        }
        await page.click(`${id('codes-off')} summary`);
        await page.click(id('log-toggle'));
      },
    },
    'codex-short': {
      async go(page) {
        await say({ seconds: 80 });
        await code(page);
      },
    },
    'codex-expired': {
      async go(page) {
        await say({ seconds: 2 });
        await code(page);
        await page.waitForSelector('[data-code=expired]');
      },
    },
    'codex-strange': {
      async go(page) {
        await say({ codex: 'strange' });
        await code(page);
        await page.waitForSelector(id('strange-link'));
      },
    },
    'codex-storing': {
      async go(page) {
        await code(page);
        await say({ pace: 1000, approve: 'codex' });
        await page.waitForSelector(id('finishing'));
      },
    },
    'codex-done': {
      async go(page) {
        await code(page);
        await say({ approve: 'codex' });
        await page.waitForSelector(id('done-account'));
      },
    },
    'codex-canceled': {
      async go(page) {
        await code(page);
        await page.click(id('cancel'));
        await page.waitForSelector(id('canceled'));
      },
    },
    'codex-in-place': {
      async go(page) {
        await say({ codex: 'in_place', codexStatus: IN });
        await page.goto(`${base}/providers/codex/connect`);
        await page.click(id('start'));
        await page.waitForSelector(id('agree'));
      },
    },
    'codex-died': { go: (page) => failing(page, 'program_died') },
    'codex-network': { go: (page) => failing(page, 'network') },
    'codex-codes-off': { go: (page) => failing(page, 'device_codes_off') },
    'codex-policy': { go: (page) => failing(page, 'policy') },
    'codex-unknown': { go: (page) => failing(page, 'brand_new') },
    'claude-link': { go: (page) => link(page) },
    'claude-odd': {
      async go(page) {
        await link(page);
        await page.fill(id('paste-input'), '  https://platform.claude.com/oauth/other ');
        await page.waitForSelector(id('paste-warning'));
      },
    },
    'claude-422': {
      async go(page) {
        await link(page);
        await page.fill(id('paste-input'), '12345678');
        await page.click(id('paste-submit'));
        await page.waitForSelector(id('paste-error'));
      },
    },
    'claude-again': {
      async go(page) {
        await link(page);
        await say({ refuse: 'claude' });
        await page.waitForSelector(id('paste-hint'));
      },
    },
    'claude-refused': {
      async go(page) {
        await link(page);
        await page.fill(id('paste-input'), 'bad-code-1234#state');
        await page.click(id('paste-submit'));
        await page.waitForSelector('[data-code=refused]');
      },
    },
    'claude-done': {
      async go(page) {
        await link(page);
        await page.fill(id('paste-input'), ' good-code \n-1234#state ');
        await page.click(id('paste-submit'));
        await page.waitForSelector(id('done-account'));
      },
    },
    callback: {
      async go(page) {
        await page.goto(`${base}/providers`);
        await page.click(id('others-codex'));
        await page.click(id('method-browser'));
        await page.waitForSelector(`${id('paste-input')}:enabled`);
      },
    },
    'callback-refused': {
      async go(page) {
        await screens.callback.go(page);
        await page.fill(id('paste-input'), 'https://auth.openai.com/log-in');
        await page.click(id('paste-submit'));
        await page.waitForSelector(id('paste-error'));
        await page.fill(id('paste-input'), 'https://auth.openai.com/log-in');
      },
    },
    'token-done': {
      async go(page) {
        await say({ storage: 'memory' });
        await page.goto(`${base}/providers`);
        await page.click(id('others-claude'));
        await page.click(id('method-setup_token'));
        await page.fill(id('paste-input'), 'good#code');
        await page.click(id('paste-submit'));
        await page.waitForSelector(id('done-token'));
      },
    },
    answer: {
      async go(page) {
        await say({ codex: 'asks' });
        await page.goto(`${base}/providers/codex/connect`);
        await page.click(id('start'));
        await page.waitForSelector(id('answer-warning'));
      },
    },
    'answer-field': {
      async go(page) {
        await screens.answer.go(page);
        await page.click(id('answer-understood'));
        await page.fill(id('answer-input'), '1');
      },
    },
  };
  return screens;
}
