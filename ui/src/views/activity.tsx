// What happened on this Room: a sentence an event, by day, newest first.

import { useEffect, useMemo, useState } from 'preact/hooks';
import { EXPORT_PATH, type Actor, type Event, type Kind } from '../api/activity';
import { ApiError } from '../api/client';
import { createActivity, isError, type Activity as State, type Log } from '../state/activity';
import { parseUrl } from '../state/address';
import { plain } from '../state/plain';
import { clockTime, dayTime, formatNumber, formatTime } from '../text';
import { w } from '../text/activity';
import styles from '../styles/activity.css?inline';
import { useRoom } from './context';
import { ErrorNote, Facts, Mark, Page, Skeleton, type Tone } from './parts';
import { save as saveFile } from './save';
import { adopt } from './sheet';

adopt(styles);

const KINDS: (Kind | null)[] = [null, 'access', 'provider', 'instance'];

export function Activity() {
  const room = useRoom();
  const state = useMemo(() => createActivity({ client: room.client, link: room.link }), [room]);
  useEffect(() => state.open(), [state]);
  const log = state.log.value;
  const kind = state.kind.value;
  const shown = state.shown.value;
  const errorsOnly = state.errorsOnly.value;
  return (
    <Page title={w.title} testid="activity">
      <fieldset class="segments kinds">
        <legend class="sr">{w.filter}</legend>
        <div>
          {KINDS.map((one) => (
            <label key={one}>
              <input
                type="radio"
                name="kind"
                data-testid={`kind-${one ?? 'all'}`}
                checked={kind === one}
                onChange={() => state.choose(one)}
              />
              <span>{w.kinds[one ?? 'all']}</span>
            </label>
          ))}
        </div>
        <label class="errors">
          <input type="checkbox" data-testid="errors-only" checked={errorsOnly} onChange={(event) => void state.onlyErrors(event.currentTarget.checked)} />
          <span>{w.errorsOnly}</span>
        </label>
      </fieldset>
      {state.error.value !== null && <ErrorNote error={state.error.value} retry={() => void state.load()} />}
      {log === null && state.error.value === null && <Skeleton />}
      {log !== null && shown.length === 0 && state.busy.value === null && (
        <p class="lead muted" data-testid="activity-none" role="status">
          {errorsOnly && log.events.length > 0
            ? w.noErrors(log.more ? formatNumber(log.events.length) : null)
            : kind === null
              ? w.none
              : w.noneOfKind}
        </p>
      )}
      {log !== null && days(shown, room.clockOffset.value).map(([day, events]) => <Day key={day} day={day} events={events} />)}
      {log !== null && log.events.length > 0 && <Older state={state} log={log} />}
      {log !== null && log.events.length > 0 && <Export state={state} />}
    </Page>
  );
}

/** Events of one day of the reader's own time, in order. */
function days(events: Event[], offset: number): [string, Event[]][] {
  const groups = new Map<string, Event[]>();
  for (const event of events) {
    const day = new Date(event.at - offset).toDateString();
    const group = groups.get(day);
    if (group === undefined) groups.set(day, [event]);
    else group.push(event);
  }
  return [...groups];
}

function Day({ day, events }: { day: string; events: Event[] }) {
  const room = useRoom();
  const at = Date.parse(day);
  const today = new Date(room.now());
  const yesterday = new Date(today.getFullYear(), today.getMonth(), today.getDate() - 1).toDateString();
  const name = day === today.toDateString() ? w.today : day === yesterday ? w.yesterday : formatTime(at, { dateStyle: 'full' });
  return (
    <section class="card day" aria-label={name} data-testid="day">
      <h2>{name}</h2>
      <ul>
        {events.map((event) => (
          // An outcome stands where its intent stood, and stays open if that was.
          <Row key={event.intent ?? event.seq} event={event} offset={room.clockOffset.value} />
        ))}
      </ul>
    </section>
  );
}

function Row({ event, offset }: { event: Event; offset: number }) {
  const [open, setOpen] = useState(false);
  const target = targetName(event.target);
  const sentence = sentenceOf(event, event.detail['device'] === undefined ? target : plain(event.detail['device']));
  return (
    <li>
      <details class="event" open={open} onToggle={(toggled) => setOpen(toggled.currentTarget.open)} data-testid={`event-${event.seq}`} data-action={event.action} data-outcome={event.outcome}>
        <summary>
          <span class="what">
            {sentence}
            <span class="hint block">{whoOf(event.actor)}</span>
          </span>
          <Mark tone={toneOf(event)}>
            <span class="sr">{w.outcomes[event.outcome]}, </span>
            <span class="at">{clockTime(event.at - offset)}</span>
          </Mark>
        </summary>
        {open && <Details event={event} offset={offset} />}
      </details>
    </li>
  );
}

/** A provider by its name, a sign-in service by its host, anything else as it is called. */
export function targetName(target: string | null): string {
  const row = useRoom().providers.table.value?.find(({ id }) => id === target);
  return plain(row?.name ?? parseUrl(target ?? '')?.host ?? target ?? '');
}

export function sentenceOf(event: Event, name: string): string {
  const known = w.sentences[event.action];
  const { status, reason } = event.detail;
  const how = event.outcome === 'unknown' ? 'intent' : event.outcome;
  let said = w.byStatus[`${event.action} ${status}`]?.(name) ?? (known?.[how] ?? known?.ok)?.(name) ?? plain(event.action);
  if (event.outcome === 'unknown') said = w.unfinished(said);
  if (event.count !== null && event.count > 1 && event.action === 'access.refused')
    said = w.times(said, formatNumber(event.count));
  // A reason that says the same again is left out.
  const again = reason === 'canceled' || status === 'timeout' || status === 'canceled';
  return reason === undefined || again ? said : w.because(said, (event.action.startsWith('access.') ? w.accessReasons : w.reasons)[reason] ?? w.reasons[reason] ?? plain(reason));
}

export function whoOf(actor: Actor | null): string {
  if (actor === null) return w.room;
  const device = actor.device === null ? actor.address : plain(actor.device);
  if (actor.role === 'control') return w.who(w.service, actor.address);
  const name = actor.name ?? (actor.issuer?.startsWith('room:') === true ? w.owner : actor.subject);
  return name === null ? w.who(w.someone, device) : w.who(plain(name), device);
}

const ENDS = ['access.sign_out', 'access.end_session', 'access.revoke', 'access.backchannel_logout', 'provider.cancel', 'provider.disconnect', 'provider.remove_key', 'instance.stop'];
const BEGINS = ['provider.connect', 'provider.input', 'provider.answer', 'provider.install', 'access.pair'];

export function toneOf(event: Event): Tone {
  const { action, outcome, detail } = event;
  if (outcome === 'intent' || outcome === 'unknown') return 'wait';
  if (detail['status'] === 'canceled') return 'off';
  if (isError(event)) return 'bad';
  return ENDS.includes(action) || detail['status'] === 'disconnected' ? 'off' : BEGINS.includes(action) ? 'wait' : 'good';
}

function Details({ event, offset }: { event: Event; offset: number }) {
  const room = useRoom();
  const { actor, detail } = event;
  const shown = (value: string | null | undefined) => (value == null ? null : plain(value));
  return (
    <Facts
      rows={[
        [w.details.at, dayTime(event.at - offset, room.now())],
        [w.details.who, shown(actor?.name)],
        [w.details.role, actor?.role == null ? null : (w.roles[actor.role] ?? plain(actor.role))],
        [w.details.device, shown(actor?.device)],
        [w.details.address, shown(actor?.address)],
        [w.details.issuer, shown(actor?.issuer)],
        [w.details.subject, shown(actor?.subject)],
        [w.details.target, shown(event.target)],
        [w.details.about, shown([detail['device'], detail['subject'], detail['role']].filter(Boolean).join(', '))],
        [w.details.count, event.count === null ? null : formatNumber(event.count)],
        [w.details.method, shown(detail['method'])],
        [w.details.outcome, w.outcomes[event.outcome] ?? plain(event.outcome)],
        [w.details.reason, shown(detail['reason'])],
        [w.details.action, <span class="mono">{`${plain(event.action)} #${event.seq}`}</span>],
      ]}
    />
  );
}

function Older({ state, log }: { state: State; log: Log }) {
  const busy = state.busy.value === 'older';
  const errorsOnly = state.errorsOnly.value;
  if (!log.more) return errorsOnly && state.shown.value.length === 0 ? null : <p class="hint under">{w.end}</p>;
  if (state.full.value) return <p class="hint under" data-testid="full">{w.full(formatNumber(log.events.length))}</p>;
  return (
    <button type="button" class="button wide" data-testid="older" disabled={state.busy.value !== null} onClick={() => void state.older()}>
      {busy ? (errorsOnly ? w.searching : w.loadingOlder) : w.older}
    </button>
  );
}

/** With a cookie a link will do; a bearer cannot go along with one. */
function Export({ state }: { state: State }) {
  const { auth } = useRoom();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const save = async () => {
    setBusy(true);
    setError(null);
    try {
      saveFile(new Blob([await state.all()], { type: 'application/x-ndjson' }), 'room-activity.ndjson');
    } catch (reason) {
      if (!(reason instanceof ApiError)) throw reason;
      setError(reason);
    }
    setBusy(false);
  };
  return (
    <div class="export">
      {auth.credential()?.bearer === null ? (
        <a class="button" href={EXPORT_PATH} download="room-activity.ndjson" data-testid="export">
          {w.export}
        </a>
      ) : (
        <button type="button" class="button" data-testid="export" disabled={busy} onClick={() => void save()}>
          {busy ? w.exporting : w.export}
        </button>
      )}
      <p class="hint">{w.exportHelp}</p>
      {error !== null && <ErrorNote error={error} testid="export-error" />}
    </div>
  );
}
