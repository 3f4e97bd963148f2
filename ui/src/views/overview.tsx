// Is my Room fine, does it need me; below, and loaded after it: what happened.

import { since, t } from '../text';
import { useRoom } from './context';
import { lazy } from './lazy';
import { ErrorNote, Facts, Mark, Page, Skeleton, useNow } from './parts';
import { ProviderState } from './provider-state';
import { Link, loginPath } from './router';

const More = lazy(async () => (await import('./overview-more')).OverviewMore);

export function Overview() {
  const room = useRoom();
  const { table, error } = room.providers;
  return (
    <Page title={t.overview.title} testid="overview">
      {error.value !== null && table.value === null ? (
        <ErrorNote error={error.value} retry={() => void room.providers.refresh()} />
      ) : (
        <NeedsYou />
      )}
      <div class="flow">
        <RoomCard />
        <ProvidersCard />
        <More />
      </div>
    </Page>
  );
}

function NeedsYou() {
  const room = useRoom();
  const { table, statuses, known } = room.providers;
  const may = room.auth.can('providers.manage');
  if (!known.value) return <Skeleton />;
  const needs = (table.value ?? []).flatMap(({ id, name, optional }) => {
    const status = statuses.value[id];
    if (status === undefined) return [];
    const need = (text: string, action: string) => [{ id, text, action, to: loginPath(id) }];
    if (status.liveSessionId !== null) return need(t.overview.inProgress(name), t.overview.goOn);
    if (status.installSessionId !== null || (optional && status.connected !== true)) return [];
    if (status.installed === false) return need(t.overview.notInstalled(name), t.overview.install(name));
    if (status.tooOld) return need(t.overview.tooOld(name), t.overview.update(name));
    if (status.connected !== true && !status.keyed && (status.connected === false || status.error !== null)) {
      const words = status.connected === false ? t.overview.notConnected : t.overview.notChecked;
      return need(words(name), t.overview.connect(name));
    }
    return [];
  });
  if (needs.length === 0) {
    return (
      <p class="lead" data-testid="all-fine">
        <Mark tone="good">{t.overview.allFine}</Mark>
      </p>
    );
  }
  return (
    <section class="card needs" aria-labelledby="needs-you" data-testid="needs-you">
      <h2 id="needs-you">{may ? t.overview.needsYou : t.overview.needsOthers}</h2>
      <ul class="rows">
        {needs.map((need) => (
          <li key={need.id}>
            <span>
              <Mark tone="wait">{need.text}</Mark>
            </span>
            {may && (
              <Link to={need.to} class="button primary" data-testid={`needs-${need.id}`}>
                {need.action}
              </Link>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

function RoomCard() {
  const room = useRoom();
  const now = useNow(true, 30_000);
  const status = room.status.value;
  if (status === null) {
    return room.statusError.value === null ? (
      <Skeleton />
    ) : (
      <ErrorNote error={room.statusError.value} retry={() => void room.refreshStatus()} />
    );
  }
  const plane = room.auth.bootstrap.value?.controlPlaneUrl;
  const answers = room.linkPhase.value !== 'offline';
  return (
    <section class="card" aria-labelledby="room" data-testid="room-card">
      <h2 id="room">{t.overview.room}</h2>
      <Facts
        rows={[
          [t.overview.state, <Mark tone={answers ? 'good' : 'bad'}>{answers ? t.overview.running : t.link.offline}</Mark>],
          [t.overview.name, status.name],
          [t.overview.goal, status.goal],
          [t.overview.mode, status.mode === null ? null : (t.overview.modes[status.mode] ?? status.mode)],
          [t.overview.region, status.region],
          [t.overview.plan, status.plan],
          [t.overview.since, status.startedAt === null ? null : since(status.startedAt, now + room.clockOffset.value)],
          [t.overview.version, status.version],
          [t.overview.platform, status.platform],
        ]}
      />
      {plane?.startsWith('http') && (
        <a class="quiet" href={plane} rel="noreferrer" data-testid="control-plane">
          {t.overview.controlPlane}
        </a>
      )}
    </section>
  );
}

function ProvidersCard() {
  const room = useRoom();
  const { table, statuses, known } = room.providers;
  if (!known.value || table.value === null) return null;
  return (
    <section class="card" aria-labelledby="providers" data-testid="providers-card">
      <div class="split">
        <h2 id="providers">{t.tabs.providers}</h2>
        <Link to="/providers" class="quiet">
          {room.auth.can('providers.manage') ? t.overview.manage : t.overview.look}
        </Link>
      </div>
      <ul class="rows">
        {table.value.map((provider) => (
          <li key={provider.id}>
            <strong>{provider.name}</strong>
            <ProviderState status={statuses.value[provider.id]} />
          </li>
        ))}
      </ul>
    </section>
  );
}
