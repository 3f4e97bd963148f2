// The providers: how each stands, and what can be done about it.

import { useEffect } from 'preact/hooks';
import type { Provider } from '../api/wire';
import { plain } from '../state/plain';
import type { Outcome } from '../state/providers';
import { since } from '../text';
import { w } from '../text/providers';
import { Confirm } from './confirm';
import { useRoom } from './context';
import { ErrorNote, Facts, Mark, Page, Skeleton, useNow, type Tone } from './parts';
import { ProviderState } from './provider-state';
import { go, Link, loginPath } from './router';
import { Install, Prerequisite, primaryMethod } from './setup';

export function Providers() {
  const { providers, auth } = useRoom();
  const { table, known, error } = providers;
  const may = auth.can('providers.manage');
  return (
    <Page title={w.title} testid="providers">
      <p class="lead muted">{may ? w.intro : w.lookOnly}</p>
      {error.value !== null && <ErrorNote error={error.value} retry={() => void providers.refresh()} testid="providers-error" />}
      {!known.value && error.value === null && <Skeleton />}
      {known.value && table.value?.length === 0 && <p>{w.none}</p>}
      <div class="cards">
        {known.value && table.value?.map((provider) => <ProviderCard key={provider.id} provider={provider} />)}
      </div>
    </Page>
  );
}

function ProviderCard({ provider }: { provider: Provider }) {
  const room = useRoom();
  const now = useNow(true, 15_000);
  const { id, name } = provider;
  const status = room.providers.statuses.value[id];
  const outcome = room.providers.outcomes.value[id];
  const connected = status?.connected === true;
  const live = (status?.liveSessionId ?? null) !== null;
  const missing = status?.installed === false;
  const method = status?.method == null ? null : (w.methods[status.method] ?? status.method);
  return (
    <section class="card" aria-labelledby={`provider-${id}-name`} data-testid={`provider-${id}`}>
      <div class="split">
        <h2 id={`provider-${id}-name`}>{name}</h2>
        <ProviderState status={status} testid={`provider-${id}-state`} />
      </div>
      {provider.plans !== null && !connected && <p class="muted">{provider.plans}</p>}
      {status !== undefined && (
        <Facts
          rows={[
            [w.signedInAs, connected && status.account !== null ? plain(status.account) : null],
            [w.plan, connected && status.plan !== null ? capital(plain(status.plan)) : null],
            [w.method, connected && method !== null ? plain(method) : null],
            [
              connected ? w.verified : w.checked,
              status.checkedAt === null ? null : since(status.checkedAt, now + room.clockOffset.value),
            ],
            [
              w.cli,
              status.version === null
                ? null
                : [`${id} ${plain(status.version)}`, plain(status.versionNote ?? '')].filter(Boolean).join(', '),
            ],
          ]}
        />
      )}
      {status?.error != null && <p class="note bad">{plain(status.error)}</p>}
      {outcome !== undefined && <OutcomeNote provider={provider} outcome={outcome} />}
      {room.auth.can('providers.manage') &&
        (missing && !live ? <Install provider={provider} /> : <Actions provider={provider} connected={connected} live={live} />)}
    </section>
  );
}

function Actions({ provider, connected, live }: { provider: Provider; connected: boolean; live: boolean }) {
  const room = useRoom();
  const { id, name } = provider;
  const slot = room.logins.slot(id);
  const work = room.providers.work.value[id];
  const starting = slot.busy.value === 'starting';
  const verify = (
    <button
      type="button"
      class="button"
      data-testid={`verify-${id}`}
      disabled={work !== undefined}
      onClick={() => void room.providers.check(id)}
    >
      {work === 'checking' ? w.verifying : w.verify}
    </button>
  );
  if (live) {
    return (
      <Link to={loginPath(id)} class="button primary wide" data-testid={`continue-${id}`}>
        {w.goOn}
      </Link>
    );
  }
  if (connected) {
    return (
      <div class="buttons">
        {verify}
        <Disconnect provider={provider} />
        <button
          type="button"
          class="quiet"
          data-testid={`again-${id}`}
          onClick={() => {
            slot.afresh.value = true;
            go(loginPath(id));
          }}
        >
          {w.again}
        </button>
      </div>
    );
  }
  return (
    <>
      {provider.prerequisite !== null && <Prerequisite text={provider.prerequisite.text} url={provider.prerequisite.url} />}
      {provider.methods.length > 0 && (
        <button
          type="button"
          class="button primary wide"
          data-testid={`connect-${id}`}
          disabled={starting}
          onClick={async () => {
            await room.logins.start(id, primaryMethod(provider));
            // Also when it failed: the screen of the sign-in says why and what to do.
            go(loginPath(id));
          }}
        >
          {starting ? w.starting : w.connect(name)}
        </button>
      )}
      {room.providers.statuses.value[id]?.connected === null && <div class="buttons">{verify}</div>}
    </>
  );
}

function OutcomeNote({ provider, outcome }: { provider: Provider; outcome: Outcome }) {
  const { providers, say } = useRoom();
  const { id, name } = provider;
  const words = describe(name, outcome);
  useEffect(() => {
    if (words !== null) say(words.text);
  }, [outcome]);
  if (outcome.kind === 'error') {
    return <ErrorNote error={outcome.error} retry={() => providers.dismiss(id)} testid={`outcome-${id}`} />;
  }
  if (words === null) return null;
  return (
    <div class={`note ${words.tone}`} data-testid={`outcome-${id}`}>
      <Mark tone={words.tone}>{words.text}</Mark>
      {words.list.length > 0 && <Removed entries={words.list} />}
      <button type="button" class="quiet" onClick={() => providers.dismiss(id)}>
        {w.dismiss}
      </button>
    </div>
  );
}

function describe(name: string, outcome: Outcome): { tone: Tone; text: string; list: string[] } | null {
  if (outcome.kind === 'error') return null;
  if (outcome.kind === 'checked') {
    if (outcome.connected === true) return { tone: 'good', text: w.verifiedGood(name), list: [] };
    if (outcome.connected === false) return { tone: 'off', text: w.verifiedBad(name), list: [] };
    return { tone: 'wait', text: w.verifiedUnknown(name), list: [] };
  }
  const { ok, removed, reason } = outcome.result;
  if (!ok) return { tone: 'bad', text: [w.notRemoved(name), reason].filter(Boolean).join(' '), list: [] };
  return { tone: 'good', text: removed.length > 0 ? w.removed : w.removedBare, list: removed };
}

function Removed({ entries }: { entries: string[] }) {
  return (
    <ul class="removed" data-testid="removed">
      {entries.map((entry) => (
        <li key={entry}>{plain(entry)}</li>
      ))}
    </ul>
  );
}

/** Asks once, and names what goes. */
function Disconnect({ provider }: { provider: Provider }) {
  const { providers } = useRoom();
  const { id, name, removes } = provider;
  const work = providers.work.value[id];
  return (
    <Confirm
      id={`disconnect-${id}`}
      class="button danger"
      label={work === 'disconnecting' ? w.disconnecting : w.disconnect}
      disabled={work !== undefined}
      title={w.confirmTitle(name)}
      no={w.keep}
      yes={w.disconnect}
      onYes={() => void providers.disconnect(id)}
    >
      <p>{removes.length > 0 ? w.confirmText(name) : w.confirmTextBare(name)}</p>
      {removes.length > 0 && <Removed entries={removes} />}
      <p class="muted">{w.confirmAfter}</p>
    </Confirm>
  );
}

/** The programs write plans small: `plus`. */
function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
