import { expect, test } from 'vitest';
import { createDrafts, DRAFTS_KEY } from './drafts';
import { safeStorage } from './storage';

test('what is half typed is there until it is taken out, the newest of many', () => {
  const drafts = createDrafts(safeStorage(() => null));
  for (let field = 0; field < 10; field += 1) drafts.set(`field ${field}`, `text ${field}`);
  expect([drafts.get('field 1'), drafts.get('field 2'), drafts.get('field 9')]).toEqual(['', 'text 2', 'text 9']);
  drafts.set('field 9', '');
  expect(drafts.get('field 9')).toBe('');
  drafts.set('field 8', 'x'.repeat(5000));
  expect(drafts.get('field 8')).toBe('');
});

test('it waits in the storage from the leaving to the coming back, and no longer', () => {
  const tab = safeStorage(() => null);
  const drafts = createDrafts(tab);
  drafts.pack();
  expect(tab.get(DRAFTS_KEY), 'of nothing, nothing is kept').toBeNull();
  drafts.set('paste s1', 'half a co');
  expect(tab.get(DRAFTS_KEY)).toBeNull();
  drafts.pack();
  expect(tab.get(DRAFTS_KEY)).toContain('half a co');
  const back = createDrafts(tab);
  expect(back.get('paste s1')).toBe('half a co');
  expect(tab.get(DRAFTS_KEY)).toBeNull();
  // A page that was only put aside knows better than what it packed.
  drafts.set('paste s1', 'half a code');
  drafts.pack();
  drafts.set('paste s1', 'all of it');
  drafts.unpack();
  expect([drafts.get('paste s1'), tab.get(DRAFTS_KEY)]).toEqual(['all of it', null]);
});

test('what someone else put there does no harm', () => {
  const tab = safeStorage(() => null);
  for (const odd of ['{', '[]', '"x"', 'null']) {
    tab.set(DRAFTS_KEY, odd);
    expect(createDrafts(tab).get('0')).toBe('');
    expect(tab.get(DRAFTS_KEY)).toBeNull();
  }
});
