// The Room does not answer: since when, and what helps.

import { since } from '../text';
import { w } from '../text/offline';
import { useRoom } from './context';
import { Command } from './copy';
import { Mark, useNow } from './parts';

export function OfflineNote() {
  const { heardAt, link, auth } = useRoom();
  const now = useNow(true, 10_000);
  const hosted = auth.cloud();
  return (
    <aside class="note bad" aria-label={w.title} data-testid="offline-note">
      <Mark tone="bad">
        <strong>{w.title}</strong>
      </Mark>
      <p>
        {hosted ? w.hosted : w.local}
        {heardAt.value !== null && ` ${w.heard(since(heardAt.value, now))}`}
      </p>
      {!hosted && <Command command="room" />}
      <button type="button" class="button" onClick={() => link.wake()}>
        {w.tryNow}
      </button>
    </aside>
  );
}
