// The connect page of a Room that does not answer: since when, and that the page goes on asking.

import { useEffect } from 'preact/hooks';
import { HEARD_KEY } from '../state/room';
import { since } from '../text';
import { w } from '../text/offline';
import { useRoom } from './context';

const AGAIN_MS = 5_000;

export function Away() {
  const { auth, client, storage, now } = useRoom();
  const heard = Number(storage.get(HEARD_KEY));
  useEffect(() => {
    const timer = setInterval(() => {
      if (document.visibilityState !== 'visible') return;
      // Quietly: the page stays as it is until there is an answer.
      client.bootstrap().then(
        () => auth.retry(),
        () => null,
      );
    }, AGAIN_MS);
    return () => clearInterval(timer);
  }, [auth, client]);
  return (
    <p class="hint" data-testid="last-heard">
      {w.again} {heard > 0 && w.heard(since(heard, now()))}
    </p>
  );
}
