// Which page stands where, and the net under them all.

import { Component, type ComponentChildren } from 'preact';
import { t } from '../text';
import { language } from '../text/words';
import { useRoom } from './context';
import { lazy } from './lazy';
import { Overview } from './overview';
import { Page } from './parts';
import { Link, parse, path } from './router';
import { Shell, Starting } from './shell';

const Hosted = lazy(async () => (await import('./hosted')).Hosted);
const Enter = lazy(async () => (await import('./enter')).Enter);
const Providers = lazy(async () => (await withManage(import('./providers'))).Providers);
const Login = lazy(async () => (await withManage(import('./login'))).Login);
const Access = lazy(async () => (await import('./more')).Access);
const Denied = lazy(async () => (await import('./denied')).Denied);
const People = lazy(async () => (await import('./people')).People);
const Activity = lazy(async () => (await import('./activity')).Activity);
const Settings = lazy(async () => (await import('./more')).Settings);

async function withManage<M>(module: Promise<M>): Promise<M> {
  const [loaded] = await Promise.all([module, useRoom().openManage()]);
  return loaded;
}

export function App() {
  const room = useRoom();
  return (
    <>
      {/* Another language is another page: every word of it is drawn anew. */}
      <Net key={language.value}>
        <Body />
      </Net>
      <p class="sr" role="status" aria-live="polite" data-testid="said">
        {room.said.value}
      </p>
    </>
  );
}

function Body() {
  const { auth } = useRoom();
  if (auth.phase.value === 'starting') return <Starting />;
  // The address stays, so that a sign-in leads back to where one was.
  if (auth.phase.value !== 'signed_in') return auth.cloud() ? <Hosted /> : <Enter />;
  const who = auth.verified.value;
  return (
    // Nothing that a page remembers of one person is there for the next.
    <Shell key={`${who?.issuer} ${who?.subject}`}>
      <Routed />
    </Shell>
  );
}

function Routed() {
  const { auth } = useRoom();
  const route = parse(path.value);
  switch (route.page) {
    case 'overview':
      return <Overview key="overview" />;
    case 'providers':
      return <Providers key="providers" />;
    case 'login':
      return auth.can('providers.manage') ? <Login key={route.provider} id={route.provider} /> : <Denied page="login" />;
    case 'access':
      return auth.cloud() ? <People key="people" /> : <Access key="access" />;
    case 'activity':
      return auth.can('activity.read') ? <Activity key="activity" /> : <Denied page="activity" />;
    case 'settings':
      return <Settings key="settings" />;
    default:
      return (
        <Page title={t.common.notFound} testid="unknown">
          <Link to="/" class="button">
            {t.common.toOverview}
          </Link>
        </Page>
      );
  }
}

class Net extends Component<{ children: ComponentChildren }, { broken: string | null }> {
  override state = { broken: null };

  static override getDerivedStateFromError(error: unknown) {
    return { broken: error instanceof Error ? error.message : String(error) };
  }

  override render() {
    if (this.state.broken === null) return this.props.children;
    return (
      <main class="alone page" data-testid="crash">
        <h1>{t.errors.crashTitle}</h1>
        <p>{t.errors.crashText}</p>
        <p class="hint mono">{this.state.broken}</p>
        <button type="button" class="button primary" onClick={() => location.reload()}>
          {t.errors.reload}
        </button>
      </main>
    );
  }
}
