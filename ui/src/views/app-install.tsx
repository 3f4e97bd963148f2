// How this page becomes an app of its own: offered once something has worked, and in the settings.

import { useState } from 'preact/hooks';
import { t } from '../text';
import { w } from '../text/app';
import { installer, useRoom } from './context';
import { isApple, isStandalone } from './standalone';

/** Kept for good once it was dismissed or followed. */
const KEY = 'room.install';

interface Prompt extends Event {
  prompt(): Promise<{ outcome: 'accepted' | 'dismissed' }>;
}

/** Chromium asks by itself when told to; Safari on a phone cannot be told, so the steps are shown. */
function Way({ done }: { done: () => void }) {
  const prompt = installer.value as Prompt | null;
  if (prompt !== null) {
    return (
      <button
        type="button"
        class="button"
        data-testid="install-app"
        onClick={async () => {
          // A prompt is good for one time.
          installer.value = null;
          if ((await prompt.prompt()).outcome === 'accepted') done();
        }}
      >
        {w.install}
      </button>
    );
  }
  return (
    <ol class="how" data-testid="install-steps">
      {w.steps.map((step) => (
        <li key={step}>{step}</li>
      ))}
    </ol>
  );
}

/** On the first page, after the first success, never beside a sign-in, and never again once dismissed. */
export function InstallHint() {
  const { providers, storage } = useRoom();
  const [over, setOver] = useState(storage.get(KEY) !== null);
  const rows = Object.values(providers.statuses.value);
  const worked = rows.some((row) => row.connected === true) && rows.every((row) => row.liveSessionId === null);
  if (over || !worked || isStandalone() || (installer.value === null && !isApple())) return null;
  const done = () => {
    storage.set(KEY, 'no');
    setOver(true);
  };
  return (
    <aside class="note" aria-label={w.title} data-testid="install-hint">
      <strong>{w.title}</strong>
      <p>{w.why}</p>
      <div class="buttons">
        <Way done={done} />
        <button type="button" class="quiet" data-testid="install-dismiss" onClick={done}>
          {w.dismiss}
        </button>
      </div>
    </aside>
  );
}

/** The same where one looks for it. */
export function InstallCard() {
  const { storage } = useRoom();
  const can = installer.value !== null || isApple();
  return (
    <section class="card" aria-labelledby="settings-app" data-testid="install-card">
      <h2 id="settings-app">{w.card}</h2>
      {isStandalone() && <p class="muted">{w.installed(t.room)}</p>}
      {!isStandalone() && <p class="muted">{can ? w.why : w.cannot}</p>}
      {!isStandalone() && can && <Way done={() => storage.set(KEY, 'no')} />}
    </section>
  );
}
