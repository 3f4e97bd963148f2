// The lower half of the first page: how busy the machine is, and what happened last. Loaded after the upper.

import type { ComponentChildren } from 'preact';
import { useEffect, useMemo } from 'preact/hooks';
import { createActivity } from '../state/activity';
import { createMachine, line, type Machine as State, type Sample } from '../state/machine';
import { plain } from '../state/plain';
import { dayTime, formatNumber } from '../text';
import { w } from '../text/overview';
import styles from '../styles/overview.css?inline';
import { sentenceOf, targetName, toneOf, whoOf } from './activity';
import { useRoom } from './context';
import { ErrorNote, Mark, Skeleton } from './parts';
import { Link } from './router';
import { adopt } from './sheet';

adopt(styles);

/** Kept while the page lives, so that a look at another page does not empty the plots. */
let machine: State | null = null;

export function OverviewMore() {
  const { auth } = useRoom();
  return (
    <>
      <Machine />
      {auth.can('activity.read') && <Recent />}
    </>
  );
}

const percent = (part: number) => formatNumber(part, { style: 'percent', maximumFractionDigits: 0 });

/** "3.9 GB", by powers of 1024, as the programs of the machine count. */
export function bytes(count: number): string {
  const units = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'];
  let value = count;
  let unit = 0;
  for (; value >= 1000 && unit < units.length - 1; unit += 1) value /= 1024;
  const digits = value < 10 && unit > 0 ? 1 : 0;
  return formatNumber(value, { style: 'unit', unit: units[unit] as string, unitDisplay: 'short', maximumFractionDigits: digits });
}

/** From here on a disk or a memory counts as nearly full, and a load for each core as too much. */
const FULL = 0.92;
const BUSY = 1.5;

function Machine() {
  const room = useRoom();
  machine ??= createMachine({
    client: room.client,
    timers: room.timers,
    isWatched: () => document.visibilityState === 'visible' && room.linkPhase.peek() === 'live',
  });
  const state = machine;
  const live = room.linkPhase.value === 'live';
  useEffect(() => (live ? state.watch() : undefined), [state, live]);
  const now = state.newest.value;
  if (now === null) {
    return state.error.value === null ? <Skeleton /> : <ErrorNote error={state.error.value} retry={() => void state.look()} testid="machine-error" />;
  }
  const samples = state.samples.value;
  const { cpu, memory } = samples.at(-1) ?? { cpu: null, memory: null };
  const disk = now.diskBytes === null || now.diskFreeBytes === null || now.diskBytes <= 0 ? null : 1 - now.diskFreeBytes / now.diskBytes;
  const unknown = now.ticks === null && memory === null && disk === null;
  const { load, cores } = now;
  return (
    <section class={live ? 'card machine' : 'card machine old'} aria-labelledby="machine" data-testid="machine-card">
      <h2 id="machine">{w.machine}</h2>
      {unknown && <p class="muted">{w.unknown}</p>}
      {now.ticks !== null && (
        <Figure
          name={w.cpu}
          part={cpu}
          warn={load !== null && cores !== null && load >= BUSY * cores ? w.busy : null}
          about={load === null ? '' : w.load(formatNumber(load, { minimumFractionDigits: 2, maximumFractionDigits: 2 }), cores ?? 1)}
          testid="cpu"
        >
          <Plot name={w.cpu} samples={samples} of="cpu" />
        </Figure>
      )}
      {memory !== null && (
        <Figure
          name={w.memory}
          part={memory}
          warn={memory >= FULL ? w.full : null}
          about={w.ofTotal(bytes((now.memoryBytes ?? 0) - (now.availableBytes ?? 0)), bytes(now.memoryBytes ?? 0))}
          testid="memory"
        >
          <Plot name={w.memory} samples={samples} of="memory" />
        </Figure>
      )}
      {disk !== null && (
        <Figure name={w.disk} part={disk} warn={disk >= FULL ? w.full : null} about={w.free(bytes(now.diskFreeBytes ?? 0))} testid="disk">
          <svg class="bar" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true" focusable="false">
            <rect class="track" width="100" height="8" />
            <rect class="value" width={100 * disk} height="8" />
          </svg>
        </Figure>
      )}
      <p class="hint">
        {now.residentBytes !== null && w.ownMemory(bytes(now.residentBytes))} {now.roomBytes !== null && w.ownData(bytes(now.roomBytes))}
      </p>
    </section>
  );
}

interface FigureProps {
  name: string;
  /** Null until it is known. */
  part: number | null;
  about: string;
  warn: string | null;
  testid: string;
  children: ComponentChildren;
}

function Figure({ name, part, about, warn, testid, children }: FigureProps) {
  return (
    <div class={warn === null ? 'figure' : 'figure warn'} data-testid={testid} data-percent={part === null ? undefined : Math.round(part * 100)}>
      <span class="label">
        {name}
        <span class="hint block">{warn === null ? about : <Mark tone="wait">{warn}</Mark>}</span>
      </span>
      {children}
      <strong>{part === null ? '…' : percent(part)}</strong>
    </div>
  );
}

const WIDTH = 120;
const HEIGHT = 32;

/** The last minutes as a line; what it says is also in words, for who does not see it. */
function Plot({ name, samples, of }: { name: string; samples: Sample[]; of: 'cpu' | 'memory' }) {
  const values = samples.flatMap((sample) => sample[of] ?? []);
  if (values.length === 0) return <svg class="plot" aria-hidden="true" />;
  const path = line(samples, of, WIDTH, HEIGHT);
  const [low, high, now] = [Math.min(...values), Math.max(...values), values.at(-1) ?? 0].map((value) => percent(value));
  return (
    <svg
      class="plot"
      viewBox={`0 0 ${WIDTH} ${HEIGHT}`}
      preserveAspectRatio="none"
      role="img"
      aria-label={w.chart(name, now ?? '', low ?? '', high ?? '')}
      data-testid={`plot-${of}`}
    >
      <path class="axis" d={`M0 ${HEIGHT}H${WIDTH}M0 0H${WIDTH}`} />
      <path class="line" d={path} />
      {values.length === 1 && <path class="line" d={`${path}h-1`} />}
    </svg>
  );
}

const SHOWN = 5;

function Recent() {
  const room = useRoom();
  const state = useMemo(() => createActivity({ client: room.client, link: room.link }), [room]);
  useEffect(() => state.open(), [state]);
  const log = state.log.value;
  if (log === null) return state.error.value === null ? <Skeleton /> : <ErrorNote error={state.error.value} retry={() => void state.load()} />;
  const offset = room.clockOffset.value;
  return (
    <section class="card recent" aria-labelledby="recent" data-testid="recent-card">
      <div class="split">
        <h2 id="recent">{w.recent}</h2>
        <Link to="/activity" class="quiet" data-testid="to-activity">
          {w.all}
        </Link>
      </div>
      {log.events.length === 0 && <p class="muted">{w.none}</p>}
      <ul class="rows">
        {log.events.slice(0, SHOWN).map((event) => (
          <li key={event.intent ?? event.seq} data-testid="recent-event">
            <span>
              {sentenceOf(event, event.detail['device'] === undefined ? targetName(event.target) : plain(event.detail['device']))}
              <span class="hint block">{whoOf(event.actor)}</span>
            </span>
            <Mark tone={toneOf(event)}>
              <span class="at">{dayTime(event.at - offset, room.now())}</span>
            </Mark>
          </li>
        ))}
      </ul>
    </section>
  );
}
