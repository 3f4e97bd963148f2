// Small pieces that several pages are made of.

import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { ApiError } from '../api/client';
import type { Problem } from '../api/wire';
import { plain } from '../state/plain';
import { problems, span, t } from '../text';
import { useRoom } from './context';

const ICONS = {
  overview: 'M3 11 12 3l9 8v9a1 1 0 0 1-1 1h-5v-6H9v6H4a1 1 0 0 1-1-1z',
  providers: 'M9 3v5M15 3v5M6 8h12v3a6 6 0 0 1-12 0zM12 17v4',
  access:
    'M9 11a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM2 21c0-4 3-6 7-6s7 2 7 6M16 3.5a4 4 0 0 1 0 7M18.500 15.500c2.300.8 3.500 2.700 3.500 5.500',
  activity: 'M2 12h4l3-8 6 16 3-8h4',
  settings: 'M3 7h11M18 7h3M14 4v6M3 17h3M10 17h11M10 14v6',
  chevron: 'm9 5 7 7-7 7',
  back: 'm15 5-7 7 7 7',
};

export function Icon({ name }: { name: keyof typeof ICONS }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={ICONS[name]} />
    </svg>
  );
}

export type Tone = 'good' | 'wait' | 'off' | 'bad';

/** A state by shape, colour and word. */
export function Mark({
  tone,
  children,
  testid,
  value,
}: {
  tone: Tone;
  children: ComponentChildren;
  testid?: string;
  value?: string;
}) {
  return (
    <span class={`mark ${tone}`} data-testid={testid} data-state={value}>
      <svg class="shape" viewBox="0 0 10 10" aria-hidden="true" focusable="false">
        {tone === 'good' && <circle cx="5" cy="5" r="5" />}
        {tone === 'wait' && <rect width="10" height="10" rx="2" />}
        {tone === 'off' && <circle cx="5" cy="5" r="4" class="ring" />}
        {tone === 'bad' && <path d="M5 .5 10 9.500H0z" />}
      </svg>
      {children}
    </span>
  );
}

interface PageProps {
  title: string;
  children: ComponentChildren;
  before?: ComponentChildren;
  testid: string;
}

/** The first page of a visit leaves the focus where the browser put it. */
let first = true;

/** A page and its heading, which takes the focus when one arrives from another page. */
export function Page({ title, before, children, testid }: PageProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  const { status, auth } = useRoom();
  const room = status.value?.name ?? auth.bootstrap.value?.name ?? t.room;
  useEffect(() => {
    if (!first) heading.current?.focus({ preventScroll: true });
    first = false;
  }, []);
  useEffect(() => {
    document.title = title === room ? room : `${title} · ${room}`;
  }, [title, room]);
  return (
    <main id="main" class="page" data-testid={testid}>
      {before}
      <h1 ref={heading} tabIndex={-1}>
        {title}
      </h1>
      {children}
    </main>
  );
}

export function Facts({ rows }: { rows: [string, ComponentChildren][] }) {
  const shown = rows.filter(([, value]) => value !== null && value !== '');
  return (
    <dl class="facts">
      {shown.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** Nothing for the first 300 ms, then grey shapes: a quick answer should not flicker. */
export function Skeleton() {
  const [late, setLate] = useState(false);
  useEffect(() => {
    const timer = setTimeout(() => setLate(true), 300);
    return () => clearTimeout(timer);
  }, []);
  return late ? (
    <div class="card skeleton" data-testid="skeleton">
      <span class="sr">{t.common.loading}</span>
      <i />
      <i />
      <i />
    </div>
  ) : null;
}

/** What the Room says of it, in the reader's language where that is known. */
export function told({ code, detail }: Problem): string | null {
  return problems[code ?? ''] ?? detail;
}

/** What a failed request means, in words, and what to do next. */
export function errorWords(error: ApiError): { title: string; next: string } {
  const detail = told(error.problem);
  if (error.kind === 'unreachable') return { title: t.errors.unreachable, next: t.errors.unreachableHelp };
  if (error.kind === 'unexpected') return { title: t.errors.unexpected, next: t.errors.unexpectedHelp };
  if (error.status === 429) {
    const wait = error.retryAfterMs === null ? null : span(error.retryAfterMs);
    return { title: t.errors.limited, next: t.errors.limitedHelp(wait) };
  }
  if (error.status === 403) return { title: t.errors.forbidden, next: detail ?? t.errors.forbiddenHelp };
  return { title: detail ?? error.problem.title ?? t.errors.generic, next: '' };
}

/** A failed request on the page, with its code and a way on. */
export function ErrorNote({ error, retry, testid = 'error' }: { error: ApiError; retry?: () => void; testid?: string }) {
  const { title, next } = errorWords(error);
  return (
    <div class="note bad" data-testid={testid} data-code={error.code}>
      <Mark tone="bad">
        <strong>{plain(title)}</strong>
      </Mark>
      {next !== '' && <p>{plain(next)}</p>}
      <p class="hint">{t.common.code(error.code)}</p>
      {retry !== undefined && (
        <button type="button" class="button" data-testid={`${testid}-retry`} onClick={retry}>
          {t.common.tryAgain}
        </button>
      )}
    </div>
  );
}

/** The time, anew every second while `active`. */
export function useNow(active: boolean, everyMs = 1_000): number {
  const room = useRoom();
  const [now, setNow] = useState(room.now());
  useEffect(() => {
    setNow(room.now());
    if (!active) return undefined;
    const timer = setInterval(() => setNow(room.now()), everyMs);
    const woken = () => setNow(room.now());
    document.addEventListener('visibilitychange', woken);
    return () => {
      clearInterval(timer);
      document.removeEventListener('visibilitychange', woken);
    };
  }, [active, everyMs, room]);
  return now;
}
