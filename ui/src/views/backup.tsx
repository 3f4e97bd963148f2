// A copy of the Room's database, for its owner to keep.

import { useState } from 'preact/hooks';
import { ApiError } from '../api/client';
import { w } from '../text/more';
import { useRoom } from './context';
import { ErrorNote } from './parts';
import { save } from './save';

export function BackupCard() {
  const room = useRoom();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  if (!room.auth.can('instance.manage')) return null;
  const make = async () => {
    setBusy(true);
    setError(null);
    try {
      const file = (await room.client.send('POST', '/api/instance/backup', { raw: 'blob' })) as Blob;
      save(file, `room-${new Date(room.now()).toISOString().slice(0, 10)}.db`);
      room.say(w.backup.done);
    } catch (reason) {
      if (!(reason instanceof ApiError)) throw reason;
      setError(reason);
    }
    setBusy(false);
  };
  return (
    <section class="card" aria-labelledby="settings-backup">
      <h2 id="settings-backup">{w.backup.title}</h2>
      <p class="muted">{w.backup.text}</p>
      <button type="button" class="button" data-testid="backup" disabled={busy} onClick={() => void make()}>
        {busy ? w.backup.making : w.backup.make}
      </button>
      {error !== null && <ErrorNote error={error} testid="backup-error" />}
    </section>
  );
}
