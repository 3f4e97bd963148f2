// The screens of a hosted Room, for shots.mjs.

export function cloudScreens({ base, say, id, IN }) {
  const token = async (who = 'ada', more = {}) => {
    const answer = await fetch(`${base}/fake?token=${who}&more=${encodeURIComponent(JSON.stringify(more))}`);
    return (await answer.json()).token;
  };
  const live = (page) => page.waitForSelector('[data-testid=link-chip][data-phase=live]');
  const MINUTE = 60_000;
  const DEVICES = [
    ['ada', 'Chrome on Mac', 26 * 60 * MINUTE],
    ['ada', 'Safari on iPhone', 3 * MINUTE, 'Chrome on Mac'],
    ['grace', 'Firefox on Linux', 12 * MINUTE],
    ['bob', 'Chrome on Android', 9 * 24 * 60 * MINUTE],
  ];

  const HOUR = 60 * MINUTE;
  const HISTORY = [
    ['instance.start', 'ok', null, 50 * HOUR],
    ['access.refused', 'refused', null, 49 * HOUR, { actor: { address: '203.0.113.0/24' }, detail: { reason: 'code_unknown', count: 41 } }],
    ['access.sign_in', 'ok', 'ada', 48 * HOUR],
    ['provider.connect', 'ok', 'ada', 27 * HOUR, { target: 'codex', detail: { method: 'device', status: 'starting' } }],
    ['provider.finished', 'failed', null, 26.8 * HOUR, { target: 'codex', detail: { status: 'failed', reason: 'device_codes_off' } }],
    ['provider.connect', 'ok', 'ada', 26 * HOUR, { target: 'codex', detail: { method: 'device', status: 'starting' } }],
    ['provider.finished', 'ok', null, 25.9 * HOUR, { target: 'codex', detail: { status: 'completed' } }],
    ['instance.keys', 'ok', null, 25 * HOUR, { target: 'https://id.example.com', detail: { status: 'degraded' } }],
    ['provider.cancel', 'ok', 'grace', 50 * MINUTE, { target: 'claude', detail: { status: 'canceled' } }],
    ['access.end_session', 'ok', 'grace', 40 * MINUTE, { target: 'd-1', detail: { device: 'Chrome on Android' } }],
    ['provider.disconnect', 'unknown', 'ada', 9 * MINUTE, { target: 'claude' }],
    ['provider.disconnect', 'intent', 'ada', 5 * MINUTE, { target: 'claude' }],
  ];

  async function wiping(page) {
    await page.click(id('wipe'));
    await page.fill(id('wipe-name'), 'inst-4711');
    await page.click(id('wipe-yes'));
  }

  async function wiped(page) {
    await wiping(page);
    await page.waitForSelector('[data-at=ended]');
  }

  /** A screen of someone who arrives; `script` before, `go` after. */
  function as(who, path, go, script = {}) {
    return {
      fresh: true,
      async go(page) {
        await say({ mode: 'cloud', ...script });
        await page.goto(`${base}${path}#token=${await token(who)}`);
        await live(page);
        await go(page);
      },
    };
  }

  /** A screen of someone who is refused. */
  function refused(why, link, script = {}) {
    return {
      fresh: true,
      async go(page) {
        await say({ mode: 'cloud', ...script });
        await page.goto(`${base}/${await link()}`);
        await page.waitForSelector(`[data-reason=${why}]`);
      },
    };
  }

  const screens = {
    'signed-out': refused('no_code', () => ''),
    'signed-out-standalone': refused('no_code', () => '', { noPlane: true }),
    'signed-out-cloudflare': refused('no_code', () => '', { noPlane: true, cloudflare: true }),
    'signed-out-wrong-instance': refused('token_refused', async () => `#token=${await token('ada', { instanceId: 'x' })}`),
    'signed-out-keys': refused('no_keys', async () => `#token=${await token()}`, { trade: 'no_keys' }),
    'signed-out-limited': refused('limited', async () => `#token=${await token()}`, { trade: 'limited' }),
    'signed-out-pair': refused('pair_refused', () => `#pair=${'x'.repeat(22)}`),
    'signed-out-revoked': as('ada', '/', async (page) => {
      await say({ people: { end: 'revoked' } });
      await page.waitForSelector('[data-reason=revoked]');
    }),
    ask: as('ada', '/', async (page) => {
      await page.goto('about:blank');
      await page.goto(`${base}/#token=${await token('grace')}`);
      await page.waitForSelector(id('ask-replace'));
    }),
    overview: as('ada', '/', (page) => page.waitForSelector(id('room-card'))),
    'overview-member': as('bob', '/', (page) => page.waitForSelector(id('room-card'))),
    'overview-notes': as('ada', '/', (page) => page.waitForSelector(id('renew-now')), { lifeMs: 40 * MINUTE, keys: 'degraded', codexStatus: IN, claudeStatus: IN }),
    'providers-member': as('bob', '/providers', (page) => page.waitForSelector(id('provider-codex')), { codexStatus: IN }),
    'denied-login': as('bob', '/providers/codex/connect', (page) => page.waitForSelector(id('denied'))),
    access: as('ada', '/access', (page) => page.waitForSelector(id('person-u-bob')), { people: { devices: DEVICES } }),
    'access-end': as('ada', '/access', async (page) => {
      await page.click(`${id('person-u-bob')} .button.danger`);
      await page.waitForSelector(id('confirm'));
    }, { people: { devices: DEVICES } }),
    'access-end-all': as('ada', '/access', async (page) => {
      await page.click(id('end-all-u-ada'));
      await page.waitForSelector(id('confirm'));
    }, { people: { devices: DEVICES } }),
    'access-code': as('ada', '/access', async (page) => {
      await page.click(id('add-device'));
      await page.waitForSelector(id('qr'));
    }),
    'access-expired': as('ada', '/access', async (page) => {
      await page.click(id('add-device'));
      await page.waitForSelector(id('pair-expired'));
    }, { pairMs: 800 }),
    'access-added': as('ada', '/access', async (page) => {
      await page.click(id('add-device'));
      const code = await page.textContent(id('pair-code'));
      await fetch(`${base}/api/auth/pair/redeem`, { method: 'POST', body: JSON.stringify({ code: code.replace('-', ''), deviceName: 'Safari on iPhone' }) });
      await page.waitForSelector(id('pair-added'));
    }),
    'access-long': as('ada', '/access', (page) => page.waitForSelector(id('people')), {
      people: {
        devices: [
          ['bob', 'A-device-with-a-name-that-never-ends-and-has-no-place-to-break-in-it-at-all', 1000],
          ['bob', 'Ünïcode \u202Ereversed\u202C 手机 the living room tablet of the whole family', 1000],
        ],
      },
    }),
    'access-member': as('bob', '/access', (page) => page.waitForSelector('[data-current=true]'), { people: { devices: DEVICES } }),
    'access-admin': as('grace', '/access', (page) => page.waitForSelector(id('person-u-bob')), { people: { devices: DEVICES } }),
    activity: as('ada', '/activity', (page) => page.waitForSelector(id('day')), { people: { history: HISTORY } }),
    'activity-open': as('ada', '/activity', async (page) => {
      await page.click('[data-action="provider.finished"][data-outcome=failed] summary');
      await page.locator('[data-action="provider.finished"][data-outcome=failed]').scrollIntoViewIfNeeded();
    }, { people: { history: HISTORY } }),
    'activity-none': as('ada', '/activity', async (page) => {
      await page.waitForSelector(id('day'));
      await page.click(`label:has(${id('kind-instance')})`);
      await page.waitForSelector(id('activity-none'));
    }),
    settings: as('ada', '/settings', async (page) => {
      await page.locator(id('wipe')).scrollIntoViewIfNeeded();
    }),
    'wipe-ask': as('ada', '/settings', async (page) => {
      await page.click(id('wipe'));
      await page.fill(id('wipe-name'), 'Ada’s');
    }),
    'wipe-busy': as('ada', '/settings', async (page) => {
      await wiping(page);
      await page.waitForSelector('[data-reason=revoked]', { state: 'attached' });
    }, { wipeMs: 3_000 }),
    'wipe-done': as('ada', '/settings', wiped),
    'wipe-left': as('ada', '/settings', wiped, { wipe: 'left' }),
    'wipe-failed': as('ada', '/settings', async (page) => {
      await wiping(page);
      await page.waitForSelector(id('wipe-error'));
    }, { wipe: 'limited' }),
    'activity-errors': as('ada', '/activity', async (page) => {
      await page.click(`label:has(${id('errors-only')})`);
      await page.waitForFunction(() => document.querySelector('[data-outcome=ok][data-action="access.sign_in"]') === null);
    }, { people: { history: HISTORY } }),
    'activity-no-errors': as('ada', '/activity', async (page) => {
      await page.waitForSelector(id('day'));
      await page.click(`label:has(${id('errors-only')})`);
      await page.waitForSelector(id('activity-none'));
    }),
    'denied-activity': as('vera', '/activity', (page) => page.waitForSelector(id('denied'))),
    offline: as('ada', '/', async (page) => {
      // The words for it come once the Room has answered.
      await page.waitForTimeout(300);
      await say({ stop: true });
      await page.waitForSelector(id('offline-note'), { timeout: 15_000 });
    }),
  };
  return Object.fromEntries(Object.entries(screens).map(([name, screen]) => [`cloud-${name}`, screen]));
}
