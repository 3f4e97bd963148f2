// What stands around every page: the bar with the state of the link, and the sections.

import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { since, t, clockTime } from '../text';
import { useRoom } from './context';
import { Command, Icon, Mark, useNow, type Tone } from './parts';
import { Link, parse, path } from './router';

const TABS = [
  { id: 'overview', to: '/' },
  { id: 'providers', to: '/providers' },
  { id: 'access', to: '/access' },
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
          {TABS.map(({ id, to }) => (
            <Link key={id} to={to} aria-current={here === id ? 'page' : undefined} data-testid={`tab-${id}`}>
              <Icon name={id} />
              {t.tabs[id]}
            </Link>
          ))}
        </nav>
        <div class="content">
          {/* Nothing but the sign-in itself on the sign-in screen. */}
          {route.page !== 'login' && <UpdateOffer />}
          <OfflineNote />
          {room.expiringAt.value !== null && (
            <div class="note wait" data-testid="expiring">
              {t.expiring(clockTime(room.expiringAt.value))}
            </div>
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
      <LinkChip />
    </header>
  );
}

function LinkChip() {
  const { linkPhase, heardAt, auth, say } = useRoom();
  const last = useRef('');
  const out = auth.phase.value === 'signed_out' || linkPhase.value === 'signed_out';
  const phase = out ? 'signed_out' : linkPhase.value;
  const [tone, word]: [Tone, string] =
    phase === 'live'
      ? ['good', t.link.live]
      : phase === 'offline'
        ? ['bad', t.link.offline]
        : phase === 'signed_out'
          ? ['off', t.link.signed_out]
          : ['wait', t.link.reconnecting];
  useEffect(() => {
    if (last.current !== '') say(word);
    last.current = word;
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
  const seconds = Math.max(0, Math.round((now - at) / 1000));
  const age = new Intl.NumberFormat(t.lang, { style: 'unit', unit: 'second', unitDisplay: 'narrow' }).format(seconds);
  return <span class="age"> {t.link.age(age)}</span>;
}

function OfflineNote() {
  const { linkPhase, heardAt, link } = useRoom();
  const now = useNow(linkPhase.value === 'offline', 10_000);
  if (linkPhase.value !== 'offline') return null;
  return (
    <div class="note bad" data-testid="offline-note">
      <Mark tone="bad">
        <strong>{t.link.offlineTitle}</strong>
      </Mark>
      <p>
        {t.link.offlineHelp}
        {heardAt.value !== null && ` ${t.link.heard(since(heardAt.value, now))}`}
      </p>
      <Command command="room" />
      <button type="button" class="button" onClick={() => link.wake()}>
        {t.link.tryNow}
      </button>
    </div>
  );
}

function UpdateOffer() {
  const { newBuild } = useRoom();
  if (!newBuild.value) return null;
  return (
    <div class="note row" data-testid="update">
      <span>{t.update.text}</span>
      <button type="button" class="button" onClick={() => location.reload()}>
        {t.update.action}
      </button>
    </div>
  );
}

/** Between the first paint and the first answer; silent for as long as that is quick. */
export function Starting() {
  const [late, setLate] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setLate(true), 300);
    return () => clearTimeout(timer);
  }, []);
  return <p class="starting">{late && t.starting}</p>;
}
