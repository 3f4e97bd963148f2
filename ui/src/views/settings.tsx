// Of this browser: how it looks, what it runs, and signing it out.

import { useState } from 'preact/hooks';
import type { ApiError } from '../api/client';
import type { Theme } from '../state/room';
import { w } from '../text/more';
import { language, LANGUAGE_KEY, LANGUAGES, speak } from '../text/words';
import { InstallCard } from './app-install';
import { BackupCard } from './backup';
import { useRoom } from './context';
import { CopyButton } from './copy';
import { lazy } from './lazy';
import { ErrorNote, Facts, Page } from './parts';

const WipeCard = lazy(async () => (await import('./wipe')).WipeCard, null);
const Programs = lazy(async () => (await Promise.all([import('./programs'), useRoom().openManage()]))[0].Programs, null);

const THEMES: Theme[] = ['system', 'light', 'dark'];

export function Settings() {
  const room = useRoom();
  const [leaving, setLeaving] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const status = room.status.value;
  const rows: [string, string | null][] = [
    [w.settings.version, status?.version ?? null],
    [w.settings.pageBuild, room.build],
    [w.settings.serverBuild, status?.build ?? room.auth.bootstrap.value?.build ?? null],
    [w.settings.mode, status?.mode ?? null],
  ];
  return (
    <Page title={w.settings.title} testid="settings">
      <section class="card" aria-labelledby="settings-look">
        <h2 id="settings-look">{w.settings.appearance}</h2>
        <fieldset class="segments">
          <legend>{w.settings.theme}</legend>
          <div>
            {THEMES.map((theme) => (
              <label key={theme}>
                <input
                  type="radio"
                  name="theme"
                  value={theme}
                  data-testid={`theme-${theme}`}
                  checked={room.theme.value === theme}
                  onChange={() => room.setTheme(theme)}
                />
                <span>{w.settings.themes[theme]}</span>
              </label>
            ))}
          </div>
        </fieldset>
        <fieldset class="segments">
          <legend>{w.settings.language}</legend>
          <div>
            {LANGUAGES.map((each) => (
              <label key={each} lang={each}>
                <input
                  type="radio"
                  name="language"
                  value={each}
                  data-testid={`language-${each}`}
                  checked={language.value === each}
                  onChange={() => {
                    room.storage.set(LANGUAGE_KEY, each);
                    void speak(each);
                  }}
                />
                <span>{w.settings.languages[each]}</span>
              </label>
            ))}
          </div>
        </fieldset>
      </section>
      <Programs />
      <InstallCard />
      <BackupCard />
      <section class="card" aria-labelledby="settings-about">
        <h2 id="settings-about">{w.settings.about}</h2>
        <Facts rows={rows.map(([name, value]) => [name, value === null ? null : <span class="mono">{value}</span>])} />
        <CopyButton text={() => [...rows.map(([name, value]) => `${name}: ${value ?? '-'}`), navigator.userAgent].join('\n')}>
          {w.settings.copyDetails}
        </CopyButton>
      </section>
      <section class="card" aria-labelledby="settings-session">
        <h2 id="settings-session">{w.settings.session}</h2>
        <p class="muted">{w.settings.signOutText}</p>
        <button
          type="button"
          class="button danger"
          data-testid="sign-out"
          disabled={leaving}
          onClick={async () => {
            setLeaving(true);
            setError(await room.auth.signOut());
            setLeaving(false);
          }}
        >
          {leaving ? w.settings.signingOut : w.settings.signOut}
        </button>
        {error !== null && <ErrorNote error={error} testid="sign-out-error" />}
      </section>
      <WipeCard />
    </Page>
  );
}
