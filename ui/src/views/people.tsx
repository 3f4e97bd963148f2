// Who can come in to a hosted Room: people, their devices, one more device.

import { useEffect, useMemo, useState } from 'preact/hooks';
import type { ApiError } from '../api/client';
import type { Device } from '../api/access';
import { createAccess, mayEnd, people, type Access as State, type Person } from '../state/access';
import { plain } from '../state/plain';
import { dayTime, since } from '../text';
import { w } from '../text/people';
import styles from '../styles/people.css?inline';
import { AddDevice } from './add-device';
import { Confirm } from './confirm';
import { useRoom } from './context';
import { ErrorNote, Facts, Mark, Page, Skeleton, useNow } from './parts';
import { adopt } from './sheet';

adopt(styles);

export function People() {
  const room = useRoom();
  const { auth } = room;
  const me = auth.verified.value;
  const state = useMemo(
    () =>
      createAccess({
        client: room.client,
        link: room.link,
        timers: room.timers,
        me: () => auth.verified.peek(),
        isLive: () => room.linkPhase.peek() === 'live',
        visible: () => document.visibilityState === 'visible',
      }),
    [room, me?.issuer, me?.subject],
  );
  const manages = auth.can('access.manage');
  useEffect(() => state.open(), [state, manages]);
  useEffect(() => {
    const woken = () => {
      if (document.visibilityState === 'visible') void state.load();
    };
    document.addEventListener('visibilitychange', woken);
    return () => document.removeEventListener('visibilitychange', woken);
  }, [state]);

  const devices = state.devices.value;
  return (
    <Page title={w.title} testid="access">
      <You />
      <AddDevice state={state} />
      {state.error.value !== null && <ErrorNote error={state.error.value} retry={() => void state.load()} />}
      {devices === null ? (
        state.error.value === null && <Skeleton />
      ) : (
        <section class="card" aria-labelledby="people" data-testid="people">
          <h2 id="people" tabIndex={-1}>{manages ? w.all : w.own}</h2>
          {people(devices, me).map((person) => (
            <PersonPart key={person.key} state={state} person={person} alone={!manages} all={devices} />
          ))}
          {!manages && <p class="hint">{w.manageOnly}</p>}
        </section>
      )}
    </Page>
  );
}

function You() {
  const { auth, clockOffset, now } = useRoom();
  const [leaving, setLeaving] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const me = auth.verified.value;
  const role = w.roles[me?.role ?? ''] ?? me?.role ?? '';
  return (
    <section class="card" aria-labelledby="you">
      <h2 id="you">{w.you}</h2>
      <Facts
        rows={[
          [w.role, me?.name == null ? role : w.roleOf(plain(me.name), role)],
          [w.device, me?.device == null ? null : plain(me.device)],
          [w.until, me?.expiresAt == null ? null : dayTime(me.expiresAt - clockOffset.value, now())],
        ]}
      />
      {error !== null && <ErrorNote error={error} testid="sign-out-error" />}
      <button
        type="button"
        class="button danger"
        data-testid="sign-out-here"
        disabled={leaving}
        onClick={async () => {
          setLeaving(true);
          setError(await auth.signOut());
          setLeaving(false);
        }}
      >
        {leaving ? w.signingOut : w.signOut}
      </button>
    </section>
  );
}

function nameOf(person: Person): string {
  return plain(person.name ?? (person.devices[0]?.issuer?.startsWith('room:') === true ? w.atMachine : (person.subject ?? '?')));
}

const deviceOf = (device: Device) => plain(device.device ?? w.unnamed);

function PersonPart({ state, person, alone, all }: { state: State; person: Person; alone: boolean; all: Device[] }) {
  const { auth, say } = useRoom();
  const [error, setError] = useState<ApiError | null>(null);
  const may = mayEnd(auth.verified.value, person);
  const others = person.devices.filter((device) => !device.current);
  const end = async (devices: Device[], done: string) => {
    setError(null);
    const failed = await state.end(devices.map((device) => device.id));
    setError(failed);
    if (failed === null) say(done);
    // The button that had the focus is gone.
    document.getElementById('people')?.focus({ preventScroll: true });
  };
  return (
    <div class="person" data-testid={`person-${person.subject ?? ''}`}>
      {!alone && (
        <div class="split">
          <h3>
            {nameOf(person)} <span class="role">{w.roles[person.role ?? ''] ?? person.role}</span>
          </h3>
          {may && others.length > 1 && (
            <Confirm
              id={`end-all-${person.subject ?? ''}`}
              class="quiet bad"
              label={person.self ? w.endOthers : w.endAll}
              title={person.self ? w.endOthersTitle : w.endPersonTitle(nameOf(person))}
              no={w.keep}
              yes={person.self ? w.endOthers : w.endAll}
              onYes={() => void end(others, w.endedAll)}
            >
              <p>{w.endPersonText(others.length)}</p>
              <p class="muted">{w.comeBack}</p>
            </Confirm>
          )}
        </div>
      )}
      {error !== null && <ErrorNote error={error} testid="end-error" />}
      {!may && <p class="hint">{w.above}</p>}
      <ul class="rows">
        {person.devices.map((device) => (
          <DeviceRow key={device.id} device={device} all={all} ending={state.ending.value.has(device.id)} {...(may ? { onEnd: () => void end([device], w.ended(deviceOf(device))) } : {})} />
        ))}
      </ul>
      {alone && others.length > 1 && (
        <Confirm
          id="end-others"
          class="quiet bad"
          label={w.endOthers}
          title={w.endOthersTitle}
          no={w.keep}
          yes={w.endOthers}
          onYes={() => void end(others, w.endedAll)}
        >
          <p>{w.endPersonText(others.length)}</p>
          <p class="muted">{w.comeBack}</p>
        </Confirm>
      )}
    </div>
  );
}

function DeviceRow({ device, all, ending, onEnd }: { device: Device; all: Device[]; ending: boolean; onEnd?: () => void }) {
  const room = useRoom();
  const now = useNow(true, 15_000) + room.clockOffset.value;
  const name = deviceOf(device);
  const from = all.find(({ id }) => id === device.pairedFrom);
  const facts = [
    device.lastUsedAt === null || device.current ? null : w.used(since(device.lastUsedAt, now)),
    device.createdAt === null ? null : w.since(dayTime(device.createdAt - room.clockOffset.value, room.now())),
    device.pairedFrom === null ? null : from === undefined ? w.paired : w.pairedFrom(deviceOf(from)),
  ].filter((fact) => fact !== null);
  return (
    <li data-testid={`device-${device.id}`} data-current={device.current}>
      <span>
        <span class="device">{name}</span>
        {device.current && (
          <span class="here">
            <Mark tone="good">{w.here}</Mark>
          </span>
        )}
        <span class="hint block">{facts.join(' · ')}</span>
      </span>
      {!device.current && onEnd !== undefined && (
        <Confirm
          id={`end-${device.id}`}
          class="button danger small"
          disabled={ending}
          label={
            <>
              {ending ? w.ending : w.end}
              <span class="sr"> {name}</span>
            </>
          }
          title={w.endTitle(name)}
          no={w.keep}
          yes={w.end}
          onYes={onEnd}
        >
          <p>{w.endText}</p>
          <p class="muted">{w.comeBack}</p>
        </Confirm>
      )}
    </li>
  );
}
