// The other screens of a local Room: how one comes in, the first page, and the small ones; for shots.mjs.

export function pageScreens({ base, say, id, IN, OUT, link }) {
  const screens = {
    'connect-page': {
      fresh: true,
      async go(page) {
        await page.goto(`${base}/`);
        await page.waitForSelector(id('connect-page'));
      },
    },
    'connect-refused': {
      fresh: true,
      async go(page) {
        await page.goto(`${base}/#code=old`);
        await page.waitForSelector('[data-reason=code_refused]');
      },
    },
    'connect-limited': {
      fresh: true,
      async go(page) {
        await page.goto(`${base}/#code=busy`);
        await page.waitForSelector('[data-reason=limited]');
      },
    },
    overview: {
      async go(page) {
        await page.goto(`${base}/`);
        await page.waitForSelector(id('needs-you'));
        await page.waitForSelector(id('room-card'));
        await page.waitForSelector(id('recent-card'));
      },
    },
    'overview-below': {
      async go(page) {
        await say({ codexStatus: IN, claudeStatus: { ...IN, method: 'claude.ai', plan: 'Pro' } });
        await page.goto(`${base}/`);
        await page.waitForSelector(id('recent-card'));
        await page.click(id('tab-providers'));
        await page.click(id('again-codex'));
        await page.click(id('start'));
        await page.click(id('cancel'));
        await page.waitForSelector(id('canceled'));
        await page.click(id('tab-overview'));
        await page.waitForTimeout(13_000);
        await page.evaluate(() => scrollTo(0, document.body.scrollHeight));
      },
    },
    'overview-busy': {
      async go(page) {
        await say({ load: 4.4, codexStatus: { ...OUT, tooOld: true, version: '0.99.0' }, claudeStatus: { installed: false, version: null } });
        await page.goto(`${base}/`);
        await page.waitForSelector(id('recent-card'));
        await page.waitForTimeout(9_000);
      },
    },
    'overview-fine': {
      async go(page) {
        await say({ codexStatus: IN, claudeStatus: { ...IN, method: 'claude.ai', plan: 'Pro' } });
        await page.goto(`${base}/`);
        await page.waitForSelector(id('all-fine'));
      },
    },
    'overview-offline': {
      async go(page) {
        await page.goto(`${base}/`);
        await page.waitForSelector(id('needs-you'));
        await say({ stop: true });
        await page.waitForSelector(id('offline-note'), { timeout: 15_000 });
      },
    },
    access: {
      async go(page) {
        await page.goto(`${base}/access`);
        await page.waitForSelector(id('address'));
      },
    },
    activity: {
      async go(page) {
        await link(page);
        await page.click(id('cancel'));
        await page.waitForSelector(id('canceled'));
        await page.goto(`${base}/activity`);
        await page.waitForSelector(id('day'));
      },
    },
    settings: {
      async go(page) {
        await page.goto(`${base}/settings`);
        await page.waitForSelector(id('sign-out'));
      },
    },
    unknown: {
      async go(page) {
        await page.goto(`${base}/nowhere`);
        await page.waitForSelector(id('unknown'));
      },
    },
  };
  return screens;
}
