import { expect, test, vi } from 'vitest';
import { createDrafts, TICKET_KEY, type Holder } from './drafts';
import { safeStorage } from './storage';

/** As the worker does it. */
function memory(there = true) {
  const held = new Map<string, unknown>();
  const holder: Holder = {
    there: () => there,
    hold: (ticket, kept) => void held.set(ticket, kept),
    give: async (ticket) => {
      const kept = held.get(ticket);
      held.delete(ticket);
      return kept ?? null;
    },
  };
  return { held, holder };
}

const NOBODY = memory(false).holder;
const settle = () => new Promise((resolve) => void setTimeout(resolve));

test('what is half typed is there until it is taken out, the newest of many', () => {
  const drafts = createDrafts(safeStorage(() => null), NOBODY, () => 't', vi.fn());
  for (let field = 0; field < 10; field += 1) drafts.set(`field ${field}`, `text ${field}`);
  expect([drafts.get('field 1'), drafts.get('field 2'), drafts.get('field 9')]).toEqual(['', 'text 2', 'text 9']);
  drafts.set('field 9', '');
  expect(drafts.get('field 9')).toBe('');
  drafts.set('field 8', 'x'.repeat(5000));
  expect(drafts.get('field 8')).toBe('');
});

test('over the end of the page it is held in memory and given out once; the storage has a ticket and no word of it', async () => {
  const tab = safeStorage(() => null);
  const { held, holder } = memory();
  const written = vi.spyOn(tab, 'set');
  const drafts = createDrafts(tab, holder, () => 'ticket', vi.fn());
  drafts.pack(false);
  expect([tab.get(TICKET_KEY), held.size], 'of nothing, nothing is held').toEqual([null, 0]);
  drafts.set('paste s1', 'half a co');
  drafts.pack(false);
  expect(written.mock.calls).toEqual([[TICKET_KEY, 'ticket']]);
  const filled = vi.fn();
  const back = createDrafts(tab, holder, () => 'other', filled);
  expect([back.get('paste s1'), tab.get(TICKET_KEY)]).toEqual(['', null]);
  await settle();
  expect([back.get('paste s1'), held.size]).toEqual(['half a co', 0]);
  expect(filled).toHaveBeenCalledOnce();
  tab.set(TICKET_KEY, 'ticket');
  const again = createDrafts(tab, holder, () => 'other', filled);
  await settle();
  expect(again.get('paste s1'), 'once').toBe('');
});

test('a page that was only put aside, or is typed in already, knows better than what was held', async () => {
  const tab = safeStorage(() => null);
  const { holder } = memory();
  const drafts = createDrafts(tab, holder, () => 'ticket', vi.fn());
  drafts.set('paste s1', 'half a code');
  drafts.pack(false);
  drafts.set('paste s1', 'all of it');
  await drafts.unpack();
  expect([drafts.get('paste s1'), tab.get(TICKET_KEY)]).toEqual(['all of it', null]);
});

test('where nobody can hold it, leaving is said to cost it, and nothing is stored', () => {
  const tab = safeStorage(() => null);
  const drafts = createDrafts(tab, NOBODY, () => 'ticket', vi.fn());
  expect(drafts.losing()).toBe(false);
  drafts.set('paste s1', 'half a code');
  drafts.pack(false);
  expect([drafts.losing(), tab.get(TICKET_KEY)]).toEqual([true, null]);
  expect(createDrafts(tab, memory().holder, () => 't', vi.fn()).losing()).toBe(false);
});

test('what someone else put there, or answers, does no harm', async () => {
  const tab = safeStorage(() => null);
  for (const odd of ['{', 7, [], null, undefined, { 0: { a: 1 } }]) {
    tab.set(TICKET_KEY, 'not ours');
    const drafts = createDrafts(tab, { ...NOBODY, give: async () => odd }, () => 't', vi.fn());
    await settle();
    expect(drafts.get('paste s1')).toBe('');
    expect(tab.get(TICKET_KEY)).toBeNull();
  }
});
