// What stands around every page: the bar with the state of the link, and the sections.

import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { LinkPhase } from '../api/socket';
import { WAKING_MS } from '../state/room';
import { clockTime, span, t } from '../text';
import { pairWanted, useRoom } from './context';
import { lazy } from './lazy';
import { Icon, Mark, useNow, type Tone } from './parts';
import { Link, parse, path } from './router';

const Notes = lazy(async () => (await import('./notes')).Notes, null);
const InstallHint = lazy(async () => (await import('./app-install')).InstallHint, null);
export const OfflineNote = lazy(async () => (await import('./offline')).OfflineNote, null);

const TABS = [
  { id: 'overview', to: '/' },
  { id: 'providers', to: '/providers' },
  { id: 'access', to: '/access' },
  { id: 'activity', to: '/activity' },
  { id: 'settings', to: '/settings' },
] as const;

export function Shell({ children }: { children: ComponentChildren }) {
  const room = useRoom();
  const route = parse(path.value);
  const here = route.page === 'login' ? 'providers' : route.page;
  return (
    <>
      <a class="skip" href="#main">
        {t.skip}
      </a>
      <TopBar />
      <div class="body">
        <nav class="tabs" aria-label={t.sections}>
          {TABS.filter(({ id }) => id !== 'activity' || room.auth.can('activity.read')).map(({ id, to }) => (
            <Link key={id} to={to} aria-current={here === id ? 'page' : undefined} data-testid={`tab-${id}`}>
              <Icon name={id} />
              {t.tabs[id]}
            </Link>
          ))}
        </nav>
        <div class="content">
          {/* Nothing but the sign-in itself on the sign-in screen. */}
          {route.page !== 'login' && <UpdateOffer />}
          {room.linkPhase.value === 'offline' && <OfflineNote />}
          <Waking />
          {here === 'overview' && <InstallHint />}
          {room.auth.cloud() && <Notes />}
          {!room.auth.cloud() && room.expiringAt.value !== null && (
            <aside class="note wait" aria-label={t.tabs.access} data-testid="expiring">
              {t.expiring(clockTime(room.expiringAt.value))}
            </aside>
          )}
          {children}
        </div>
      </div>
    </>
  );
}

export function TopBar() {
  const room = useRoom();
  const name = room.status.value?.name ?? room.auth.bootstrap.value?.name ?? t.room;
  return (
    <header class="top">
      <span class="name" data-testid="room-name">
        {name}
      </span>
      {room.auth.cloud() && !room.auth.apart() && room.auth.phase.value === 'signed_in' && (
        <Link to="/access" class="quiet on-phone" data-testid="on-my-phone" onGo={() => (pairWanted.value = true)}>
          {t.onMyPhone}
        </Link>
      )}
      {room.auth.phase.value !== 'asking' && <LinkChip />}
    </header>
  );
}

const TONES: Partial<Record<LinkPhase, Tone>> = { live: 'good', offline: 'bad', signed_out: 'off', asleep: 'off' };

function LinkChip() {
  const { linkPhase, heardAt, auth, say } = useRoom();
  const last = useRef('');
  const out = auth.phase.value === 'signed_out' || linkPhase.value === 'signed_out';
  const phase = out ? 'signed_out' : linkPhase.value;
  const tone = TONES[phase] ?? 'wait';
  const word = (t.link as Partial<Record<LinkPhase, string>>)[phase] ?? t.link.reconnecting;
  useEffect(() => {
    // What passes in a moment is not worth a word.
    const timer = setTimeout(() => {
      if (last.current !== '' && last.current !== word) say(word);
      last.current = word;
    }, 500);
    return () => clearTimeout(timer);
  }, [word]);
  return (
    <span class="chip" data-testid="link-chip" data-phase={phase}>
      <Mark tone={tone}>
        {word}
        {tone === 'wait' && heardAt.value !== null && <DataAge at={heardAt.value} />}
      </Mark>
    </span>
  );
}

function DataAge({ at }: { at: number }) {
  const now = useNow(true);
  return <span class="age"> {t.link.age(span(now - at, 'narrow'))}</span>;
}

function UpdateOffer() {
  const { newBuild } = useRoom();
  if (newBuild.value === null) return null;
  return (
    <aside class="note row" aria-label={t.update.text} data-testid="update">
      <span>{t.update.text}</span>
      <button type="button" class="button" onClick={newBuild.value}>
        {t.update.action}
      </button>
    </aside>
  );
}

/** A hosted machine is starting: how far, of the half minute that it gets. */
function Waking() {
  const { asleepAt } = useRoom();
  const since = asleepAt.value;
  const now = useNow(since !== null);
  return since === null || now - since >= WAKING_MS ? null : (
    <label class="waking" data-testid="waking">
      {t.waking}
      <progress max={WAKING_MS} value={now - since} />
    </label>
  );
}

/** Between the first paint and the first answer; silent for as long as that is quick. */
export function Starting() {
  const { asleepAt } = useRoom();
  const [late, setLate] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setLate(true), 300);
    return () => clearTimeout(timer);
  }, []);
  return <div class="starting">{asleepAt.value === null ? late && t.starting : <Waking />}</div>;
}
