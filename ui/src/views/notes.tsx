// What a hosted Room says above every page: that the sign-in ends soon, and that its keys are out of reach.

import { useEffect, useState } from 'preact/hooks';
import { parseUrl } from '../state/address';
import { launchUrl } from '../state/launch';
import { renewal, type Renewal } from '../state/renew';
import { dayTime } from '../text';
import { w } from '../text/notes';
import { useRoom } from './context';
import { Mark } from './parts';
import { path, remember, tab } from './router';

const TRIED_KEY = 'room.renewed';
const LOOK_MS = 15_000;
const STATUS_MS = 120_000;

export function Notes() {
  return (
    <>
      <Renew />
      <Keys />
    </>
  );
}

function Renew() {
  const room = useRoom();
  const { auth } = room;
  const [state, setState] = useState<Renewal>('none');
  const expiresAt = auth.verified.value?.expiresAt ?? null;
  const { controlPlaneUrl = null, instanceId = null } = auth.bootstrap.value ?? {};
  // Whoever was paired at the machine itself is not known to a control plane.
  const own = auth.verified.value?.issuer?.startsWith('room:') === true;
  // Read here, so that it is the page that one is on now.
  const launch = own || path.value === '' ? null : launchUrl(controlPlaneUrl, instanceId, location.pathname);

  useEffect(() => {
    let touched = room.now();
    let asked: number | null = null;
    const touch = () => {
      touched = room.now();
    };
    const look = async () => {
      const known = auth.verified.peek()?.expiresAt ?? null;
      const tried = Number(tab.get(TRIED_KEY) ?? Number.NaN);
      const next = renewal({
        now: room.now() + room.clockOffset.peek(),
        expiresAt: known,
        short: auth.apart(),
        visible: document.visibilityState === 'visible',
        idleMs: room.now() - touched,
        typing: signingIn() || fieldHasText(),
        live: room.linkPhase.peek() === 'live' && launch !== null,
        triedMs: Number.isFinite(tried) ? room.now() - tried : null,
      });
      if (next !== 'none' && asked !== known) {
        // Another device may have renewed it for all.
        asked = known;
        await auth.refresh();
        return look();
      }
      setState(next);
      if (next === 'go' && launch !== null) {
        tab.set(TRIED_KEY, String(room.now()));
        remember();
        location.assign(launch);
      }
      return undefined;
    };
    const signingIn = () => Object.values(room.providers.statuses.peek()).some((status) => status.liveSessionId !== null);
    void look();
    const timer = setInterval(() => void look(), LOOK_MS);
    const kinds = ['pointerdown', 'keydown', 'scroll'] as const;
    for (const kind of kinds) addEventListener(kind, touch, { passive: true });
    document.addEventListener('visibilitychange', look);
    return () => {
      clearInterval(timer);
      for (const kind of kinds) removeEventListener(kind, touch);
      document.removeEventListener('visibilitychange', look);
    };
  }, [expiresAt, launch]);

  if (state === 'none' || expiresAt === null) return null;
  const ends = w.ends(dayTime(expiresAt - room.clockOffset.value, room.now()));
  return (
    <aside class="note wait" aria-label={ends} data-testid="renew">
      <Mark tone="wait">{ends}</Mark>
      {launch === null ? (
        <p class="hint">{w.again}</p>
      ) : (
        <>
          <p class="hint">{w.renewText}</p>
          <a class="button" href={launch} rel="noreferrer" data-testid="renew-now" onClick={remember}>
            {w.renew}
          </a>
        </>
      )}
    </aside>
  );
}

function fieldHasText(): boolean {
  return [...document.querySelectorAll('input')].some(({ type, value }) => (type === 'text' || type === 'email') && value !== '');
}

function Keys() {
  const room = useRoom();
  useEffect(() => {
    const timer = setInterval(() => {
      if (document.visibilityState === 'visible' && room.linkPhase.peek() === 'live') void room.refreshStatus();
    }, STATUS_MS);
    return () => clearInterval(timer);
  }, [room]);
  const troubled = (room.status.value?.keys ?? []).filter((set) => ['degraded', 'stale', 'none'].includes(set.state));
  return (
    <>
      {troubled.map(({ issuer, state }) => {
        const host = parseUrl(issuer)?.host ?? issuer;
        const said = state === 'degraded' ? w.keysOld(host) : w.keysGone(host);
        return (
          <aside class="note wait" key={issuer} aria-label={said} data-testid="keys" data-state={state}>
            <Mark tone="wait">{said}</Mark>
            <p class="hint">{w.keysOldText}</p>
          </aside>
        );
      })}
    </>
  );
}
