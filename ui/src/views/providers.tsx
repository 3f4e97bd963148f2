// The providers: how each stands, and what can be done about it.

import { useEffect } from 'preact/hooks';
import type { Provider, ProviderStatus } from '../api/wire-provider';
import { plain } from '../state/plain';
import type { Outcome } from '../state/manage';
import { dayTime, since } from '../text';
import styles from '../styles/providers.css?inline';
import { w } from '../text/providers';
import { Confirm } from './confirm';
import { useRoom } from './context';
import { lazy } from './lazy';
import { ErrorNote, Facts, Mark, Page, Skeleton, useNow, type Tone } from './parts';
import { ProviderState } from './provider-state';
import { Refusal } from './refusal';
import { go, Link, loginPath } from './router';
import { adopt } from './sheet';
import { served } from './served';
import { bestWay, Prerequisite } from './setup';

const Install = lazy(async () => (await import('./install')).Install, null);
const InstallButton = lazy(async () => (await import('./install')).InstallButton, null);
const KeyPart = lazy(async () => (await import('./key')).KeyPart, null);

adopt(styles);

export function Providers() {
  const { providers, manage, auth } = useRoom();
  const { known, error } = providers;
  const { table } = manage;
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
  const { manage } = room;
  const { id, name } = provider;
  const status = manage.statuses.value[id];
  const outcome = manage.outcomes.value[id];
  const connected = status?.connected === true;
  const live = (status?.liveSessionId ?? null) !== null;
  const installing = manage.installs.slot(id).login.value?.view ?? null;
  const missing = status?.installed === false;
  const method = status?.method == null ? null : (w.methods[status.method] ?? status.method);
  const at = now + room.clockOffset.value;
  const manages = room.auth.can('providers.manage');
  return (
    <section class="card" aria-labelledby={`provider-${id}-name`} data-testid={`provider-${id}`}>
      <div class="split">
        <h2 id={`provider-${id}-name`}>{plain(name)}</h2>
        <ProviderState status={status} testid={`provider-${id}-state`} />
      </div>
      {provider.plans !== null && !connected && <p class="muted">{served(provider.plans)}</p>}
      {status !== undefined && !missing && (
        <Facts
          rows={[
            [w.signedInAs, connected && status.account !== null ? plain(status.account) : null],
            [w.plan, connected && status.plan !== null ? capital(plain(status.plan)) : null],
            [w.method, connected && method !== null ? plain(method) : null],
            [w.lasts, connected && status.expiresAt !== null ? <Lasts until={status.expiresAt} now={at} /> : null],
            [connected ? w.verified : w.checked, status.checkedAt === null ? null : since(status.checkedAt, at)],
            [w.cli, status.version === null ? null : <Program id={id} status={status} />],
          ]}
        />
      )}
      {status?.error != null && <p class="note bad">{plain(status.error)}</p>}
      {outcome !== undefined && <OutcomeNote provider={provider} outcome={outcome} />}
      {(missing || status?.tooOld === true || installing !== null) && <Install provider={provider} status={status} />}
      {status?.key != null && <KeyPart provider={provider} stored={status.key} />}
      {manages && (!missing || live) && <Actions provider={provider} status={status} connected={connected} live={live} />}
    </section>
  );
}

/** `codex 0.144.5, tested with 0.169.0`. */
function Program({ id, status }: { id: string; status: ProviderStatus }) {
  return (
    <>
      {[`${id} ${plain(status.version ?? '')}`, plain(status.versionNote ?? '')].filter(Boolean).join(', ')}
      {status.updateAvailable && !status.tooOld && (
        <span class="hint block" data-testid={`update-note-${id}`}>
          {w.updateAvailable}
        </span>
      )}
    </>
  );
}

/** A sign-in that ends within days is worth a second look. */
const SOON_MS = 3 * 86_400_000;

function Lasts({ until, now }: { until: number; now: number }) {
  const { clockOffset } = useRoom();
  const words = until <= now ? w.lapsed : dayTime(until - clockOffset.value, now);
  return until - now < SOON_MS ? <Mark tone="wait">{words}</Mark> : <>{words}</>;
}

interface ActionsProps {
  provider: Provider;
  status: ProviderStatus | undefined;
  connected: boolean;
  live: boolean;
}

function Actions({ provider, status, connected, live }: ActionsProps) {
  const room = useRoom();
  const { manage } = room;
  const { id, name } = provider;
  const slot = manage.logins.slot(id);
  const work = manage.work.value[id];
  const starting = slot.busy.value === 'starting';
  const tooOld = status?.tooOld === true;
  const installing = manage.installs.slot(id).login.value?.view.active === true;
  const verify = (
    <button
      type="button"
      class="button"
      data-testid={`verify-${id}`}
      disabled={work !== undefined}
      onClick={() => void manage.check(id)}
    >
      {work === 'checking' ? w.verifying : w.verify}
    </button>
  );
  const update = status?.updateAvailable === true && !tooOld && !installing && <InstallButton provider={provider} old />;
  if (live) {
    return (
      <Link to={loginPath(id)} class="button primary wide" data-testid={`continue-${id}`}>
        {w.goOn}
      </Link>
    );
  }
  const others = () => {
    slot.afresh.value = true;
    slot.others.value = true;
    go(loginPath(id));
  };
  // Its key has buttons of its own.
  if (connected && status?.key != null && (status.account === null || status.method === 'api_key' || status.method === 'oauth_token')) {
    return (
      <>
        <button type="button" class="quiet middle" data-testid={`others-${id}`} onClick={others}>
          {w.instead}
        </button>
        {update && <div class="buttons">{update}</div>}
      </>
    );
  }
  if (connected) {
    return (
      <div class="buttons">
        {verify}
        <Disconnect provider={provider} />
        {update}
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
  const best = bestWay(provider);
  const more = provider.methods.length + provider.keys.length > 1 && !tooOld;
  return (
    <>
      {provider.prerequisite !== null && !tooOld && status?.key == null && (
        <Prerequisite text={provider.prerequisite.text} url={provider.prerequisite.url} />
      )}
      {best !== undefined && !tooOld && !installing && (
        <button
          type="button"
          class={status?.key == null ? 'button primary wide' : 'button wide'}
          data-testid={`connect-${id}`}
          disabled={starting}
          onClick={async () => {
            await manage.logins.start(id, { method: best.id });
            // Also when it failed: the screen of the sign-in says why and what to do.
            go(loginPath(id));
          }}
        >
          {starting ? w.starting : w.connect(name)}
        </button>
      )}
      {more && (
        <button type="button" class="quiet middle" data-testid={`others-${id}`} onClick={others}>
          {provider.keys.length > 0 && status?.key == null ? w.othersOrKey : w.others}
        </button>
      )}
      {(status?.connected === null || update) && (
        <div class="buttons">
          {status?.connected === null && verify}
          {update}
        </div>
      )}
    </>
  );
}

function OutcomeNote({ provider, outcome }: { provider: Provider; outcome: Outcome }) {
  const { manage, say } = useRoom();
  const { id, name } = provider;
  const words = describe(name, outcome);
  useEffect(() => {
    if (words !== null) say(words.text);
  }, [outcome]);
  if (outcome.kind === 'error') {
    return <Refusal provider={provider} error={outcome.error} retry={() => manage.dismiss(id)} testid={`outcome-${id}`} />;
  }
  if (words === null) return null;
  return (
    <div class={`note ${words.tone}`} data-testid={`outcome-${id}`}>
      <Mark tone={words.tone}>{words.text}</Mark>
      {words.list.length > 0 && <Removed entries={words.list} />}
      <button type="button" class="quiet" onClick={() => manage.dismiss(id)}>
        {w.dismiss}
      </button>
    </div>
  );
}

function describe(name: string, outcome: Outcome): { tone: Tone; text: string; list: string[] } | null {
  if (outcome.kind === 'error') return null;
  if (outcome.kind === 'key_removed') return { tone: 'good', text: w.keyRemoved, list: [] };
  if (outcome.kind === 'checked') {
    const { key } = outcome;
    if (key !== null) {
      const [tone, words]: [Tone, (name: string) => string] =
        key.valid === null ? ['wait', w.keyUnknown] : key.valid ? ['good', w.keyGood] : ['bad', w.keyBad];
      return { tone, text: key.valid === true ? words(name) : plain(key.detail ?? words(name)), list: [] };
    }
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
  const { manage } = useRoom();
  const { id, name, removes } = provider;
  const work = manage.work.value[id];
  return (
    <Confirm
      id={`disconnect-${id}`}
      class="button danger"
      label={work === 'disconnecting' ? w.disconnecting : w.disconnect}
      disabled={work !== undefined}
      title={w.confirmTitle(name)}
      no={w.keep}
      yes={w.disconnect}
      onYes={() => void manage.disconnect(id)}
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
