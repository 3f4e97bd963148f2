// The providers' part of the settings: which programs, how new, and where keys are kept.

import type { Provider, ProviderStatus } from '../api/wire-provider';
import { plain } from '../state/plain';
import { w } from '../text/programs';
import { useRoom } from './context';
import { storageWords } from './key';
import { Mark, type Tone } from './parts';
import { Link } from './router';

export function Programs() {
  const { manage, auth } = useRoom();
  const rows = (manage.table.value ?? []).flatMap((provider) => {
    const status = manage.statuses.value[provider.id];
    return status === undefined ? [] : [{ provider, status }];
  });
  const manages = auth.can('providers.manage');
  const keys = rows.flatMap(({ provider, status: { key } }) => (key === null ? [] : [{ provider, key }]));
  return (
    <section class="card" aria-labelledby="settings-programs" data-testid="programs">
      <h2 id="settings-programs">{w.title}</h2>
      <p class="muted">{w.text}</p>
      <ul class="rows">
        {rows.map(({ provider, status }) => (
          <li key={provider.id} data-testid={`program-${provider.id}`}>
            <strong>{plain(provider.name)}</strong>
            <Version provider={provider} status={status} />
          </li>
        ))}
        {manages &&
          keys.map(({ provider, key }) => (
            <li key={`key ${provider.id}`} data-testid={`kept-${provider.id}`}>
              <span>{w.key(plain(provider.name), plain(key.last4))}</span>
              <span class="muted">{storageWords(provider.name, key.storage)}</span>
            </li>
          ))}
      </ul>
      {manages && keys.length === 0 && <p class="hint">{w.noKeys}</p>}
      {manages && (
        <Link to="/providers" class="button">
          {w.manage}
        </Link>
      )}
    </section>
  );
}

function Version({ provider, status }: { provider: Provider; status: ProviderStatus }) {
  const [tone, word]: [Tone, string] =
    status.installed === false
      ? ['off', w.none]
      : status.tooOld
        ? ['bad', w.tooOld]
        : status.updateAvailable
          ? ['wait', w.newer(provider.install.version)]
          : ['good', w.current];
  return (
    <span>
      {status.version !== null && <span class="mono">{plain(status.version)} </span>}
      {/* Of a program that was never seen nothing is known but that. */}
      {(status.version !== null || status.installed === false) && <Mark tone={tone}>{word}</Mark>}
    </span>
  );
}
