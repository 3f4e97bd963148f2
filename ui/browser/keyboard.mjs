// Two whole sign-ins with the keyboard alone, and what a screen reader says meanwhile: one at a desk, one at
// 320 px with text twice as large, in forced colours and without motion.

import assert from 'node:assert/strict';
import { ask, DESK, id, LINK, live, open, problems, suite, until } from './stage.mjs';

const VENDOR = 'https://auth.openai.com/codex/device';
let page;

/** Keeps what the page's one live region says, in order. */
function listen(target) {
  return target.evaluate(() => {
    const region = document.querySelector('[data-testid=said]');
    globalThis.said = [];
    new MutationObserver(() => globalThis.said.push(region.textContent.trim())).observe(region, { childList: true, characterData: true, subtree: true });
  });
}

/** What was said since the last time; steps that a quick program leaves out make no difference. */
async function heard(target, expected) {
  const { length } = expected;
  const all = await until('it is said', () => target.evaluate((last) => globalThis.said.at(-1) === last, expected[length - 1]), 20_000).then(
    () => target.evaluate(() => globalThis.said.splice(0)),
    () => target.evaluate(() => globalThis.said.splice(0)),
  );
  assert.deepEqual(all.filter((text) => expected.includes(text) || !/^Step [34] of 4/u.test(text)), expected);
}

/** What is wrong with where the focus is: it must be seen, marked, and under nothing else. */
function stop() {
  const node = document.activeElement;
  if (node === document.body) return [];
  // A choice that is drawn by what stands beside it shows it there.
  const shown = node.matches('.segments input') ? node.nextElementSibling : node;
  const name = `${node.tagName} "${node.textContent.slice(0, 30)}"`;
  const box = shown.getBoundingClientRect();
  const style = getComputedStyle(shown);
  const faults = [];
  if (style.outlineStyle === 'none' || parseFloat(style.outlineWidth) < 2) faults.push(`${name} shows no focus`);
  // Of what is larger than the screen, what is in sight.
  const middle = (from, to, most) => (Math.max(from, 0) + Math.min(to, most)) / 2;
  const [x, y] = [middle(box.left, box.right, innerWidth), middle(box.top, box.bottom, innerHeight)];
  const top = document.elementFromPoint(x, y);
  if (top === null || !shown.contains(top)) faults.push(`${name} is covered by ${top?.className ?? 'the edge'}`);
  return faults;
}

/** Tab, and nothing else, until the focus is there. */
async function tabTo(target, selector) {
  for (let left = 60; left > 0; left -= 1) {
    await target.keyboard.press('Tab');
    // The browser scrolls to it in a frame of its own.
    let faults = [];
    const right = async () => (faults = await target.evaluate(stop)).length === 0;
    await until('the focus in sight', right, 10_000).catch(() => assert.deepEqual(faults, []));
    if (await target.evaluate((wanted) => document.activeElement.matches(wanted), selector)) return;
  }
  assert.fail(`no way to ${selector}`);
}

async function press(target, selector) {
  await tabTo(target, selector);
  await target.keyboard.press('Enter');
}

/** The heading that has the focus. */
const focused = (target) => target.evaluate(() => (/^H[12]$/u.test(document.activeElement.tagName) ? document.activeElement.textContent : null));
const heading = (target, text) => until(`the focus at “${text}”`, async () => (await focused(target)) === text, 20_000);

/** What would take someone's page away: to be scrolled sideways, or moved. */
function calm() {
  const root = document.documentElement;
  const moving = document.getAnimations().filter((one) => one.playState === 'running').length;
  return [root.scrollWidth - root.clientWidth > 0 ? 'scrolls sideways' : '', moving > 0 ? 'moves' : ''].filter(Boolean);
}

await suite({
  async 'by keyboard: the first stop leads past the bars, and each page’s heading has the focus'(browser) {
    page = await open(browser, DESK);
    await page.goto(LINK);
    await live(page);
    await page.waitForSelector(id('needs-codex'));
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.className), 'skip');
    assert.deepEqual(await page.evaluate(stop), [], 'it comes into sight');
    await page.keyboard.press('Enter');
    for (const tab of ['providers', 'access', 'activity', 'settings', 'overview']) {
      await page.focus(id(`tab-${tab}`));
      await page.keyboard.press('Enter');
      await until(`the heading of ${tab}`, () => page.evaluate(() => document.activeElement.tagName === 'H1'), 20_000);
      assert.equal(await page.locator('h1').count(), 1);
      assert.equal(await page.getAttribute(`${id(`tab-${tab}`)}`, 'aria-current'), 'page');
      assert.ok((await page.title()).startsWith(await page.textContent('h1')));
    }
  },

  async 'control: a stop that shows no focus, is covered, or cannot be reached is found'() {
    await tabTo(page, id('needs-codex'));
    const broken = (rules) =>
      page.evaluate((css) => {
        const sheet = new CSSStyleSheet();
        sheet.replaceSync(css);
        document.adoptedStyleSheets.push(sheet);
      }, rules);
    const mend = () => page.evaluate(() => void document.adoptedStyleSheets.pop());
    await broken(':focus-visible { outline: none !important }');
    assert.match(String(await page.evaluate(stop)), /shows no focus/u);
    await mend();
    await broken('.top { position: fixed !important; inset: 0 !important }');
    assert.match(String(await page.evaluate(stop)), /covered by top/u);
    await mend();
    assert.deepEqual(await page.evaluate(stop), []);
    await assert.rejects(tabTo(page, '[data-testid=nowhere]'), /no way to/u);
  },

  async 'three presses lead to the vendor’s page with the code copied, and the end is said'() {
    await page.focus('h1');
    await listen(page);
    await press(page, id('needs-codex'));
    await heading(page, 'Connect Codex');
    await press(page, id('start'));
    await page.waitForSelector(id('device-code'));
    await heading(page, 'Connect Codex');
    await heard(page, ['Step 2 of 4: Approve in your browser']);
    const code = await page.textContent(id('device-code'));
    assert.equal(await page.getByRole('button', { name: code }).count(), 1, 'the code is read out');
    await page.context().route(`${VENDOR}*`, (route) => route.fulfill({ contentType: 'text/html', body: '<title>vendor</title>' }));
    // Control: nothing before the third press has copied it.
    assert.notEqual(await page.evaluate(() => navigator.clipboard.readText()), code);
    const [other] = await Promise.all([page.waitForEvent('popup'), press(page, id('copy-and-open'))]);
    await other.waitForURL(VENDOR);
    await other.close();
    await page.bringToFront();
    const strangers = problems.splice(0);
    assert.ok(strangers.length > 0 && strangers.every((one) => one === `foreign request: ${VENDOR}`), String(strangers));
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), code);
    await heard(page, ['Code copied.']);
    // The code is a button of its own too.
    await page.focus('h1');
    await press(page, '.code');
    await heard(page, ['Code copied.']);
    await ask('approve');
    await page.waitForSelector(id('login-done'));
    await heard(page, ['Codex is connected']);
    await page.focus('h1');
    await press(page, id('to-overview'));
    await heading(page, 'Overview');
  },

  async 'control: what is said twice, or by another region, is told apart'() {
    const say = (text) => page.evaluate((words) => void (document.querySelector('[data-testid=said]').textContent = words), text);
    await say('Twice');
    await say('Once more');
    await say('Twice');
    await assert.rejects(heard(page, ['Once more', 'Twice']), /deepStrictEqual|deep-equal/u);
    const regions = () => page.locator('[role=status], [role=alert], [aria-live=polite], [aria-live=assertive]').count();
    assert.equal(await regions(), 1);
    await page.evaluate(() => {
      const other = document.createElement('p');
      other.setAttribute('role', 'alert');
      document.querySelector('main').append(other);
    });
    assert.equal(await regions(), 2);
    await page.reload();
    await live(page);
  },

  async 'the same at 320 px with large text, in forced colours, without motion'(browser) {
    await page.context().close();
    page = await open(browser, { viewport: { width: 320, height: 640 }, isMobile: false, hasTouch: false, forcedColors: 'active', reducedMotion: 'reduce' });
    await page.goto(await ask('link'));
    await live(page);
    await page.evaluate(() => void (document.documentElement.style.fontSize = '200%'));
    await page.waitForSelector(id('needs-claude'));
    await listen(page);
    await press(page, id('tab-providers'));
    await heading(page, 'Providers');
    await press(page, id('connect-claude'));
    await heading(page, 'Connect Claude');
    await page.waitForSelector(`${id('paste-input')}:enabled`);
    await heard(page, ['Step 2 of 4: Approve in your browser']);
    assert.deepEqual(await page.evaluate(calm), []);
    await tabTo(page, id('open-link'));
    const state = new URL(await page.getAttribute(id('open-link'), 'href')).searchParams.get('state');
    await tabTo(page, id('paste-input'));
    await page.keyboard.type(`good-abcdefcode#${state}`);
    assert.deepEqual(await page.evaluate(calm), []);
    await page.keyboard.press('Enter');
    await page.waitForSelector(id('login-done'));
    await heard(page, ['Claude is connected']);
    assert.deepEqual(await page.evaluate(calm), []);
    assert.equal(await focused(page), 'Claude is connected');
  },

  async 'and out again: a question keeps the focus to itself, and gives it back'() {
    await press(page, id('tab-providers'));
    await heading(page, 'Providers');
    await press(page, id('disconnect-claude'));
    await page.waitForSelector(id('confirm'));
    assert.ok(await page.evaluate(() => document.activeElement.closest('dialog') !== null));
    await page.keyboard.press('Escape');
    await page.waitForSelector(id('confirm'), { state: 'detached' });
    assert.equal(await page.evaluate(() => document.activeElement.dataset.testid), 'disconnect-claude');
    await page.keyboard.press('Enter');
    await page.waitForSelector(id('confirm'));
    await press(page, id('confirm-yes'));
    await page.waitForSelector(id('outcome-claude'));
    assert.match(await page.textContent(id('said')), /^Disconnected/u);
    assert.deepEqual(await page.evaluate(calm), []);
  },
});
