// What a page knows of one sign-in, and how each message changes it. Pure, and safe to see a
// message twice or late: an end is final, and an old view never replaces a newer one.

import type { Line, LinesEvent, SessionView } from '../api/wire-login';

/** As many lines as the server keeps. */
export const MAX_LINES = 500;

export const STEPS = ['launch', 'approve', 'store', 'verify'] as const;

export interface Login {
  view: SessionView;
  /** Index into `STEPS`, `STEPS.length` once done. Kept while cancelling and after a failure. */
  reached: number;
  /** This page found the sign-in running and did not start it. */
  joined: boolean;
}

const REACHED: Partial<Record<SessionView['step'], number>> = {
  launching: 0,
  awaiting_approval: 1,
  awaiting_input: 1,
  storing: 2,
  verifying: 3,
};

function reached(view: SessionView, before: number | null): number {
  if (view.status === 'completed') return STEPS.length;
  return REACHED[view.step] ?? before ?? (view.verificationUrl === null && view.deviceCode === null ? 0 : 1);
}

export function begin(view: SessionView, joined: boolean): Login {
  return { view, reached: reached(view, null), joined };
}

/** Whether a session takes the place of another one: an answer may be of one that was over before that began. */
export function follows(known: SessionView, next: SessionView): boolean {
  return (next.startedAt ?? 0) >= (known.startedAt ?? 0) || (next.active && !known.active);
}

/** The whole view, from a snapshot or an HTTP answer, which may have been overtaken by later lines. */
export function withView(login: Login, view: SessionView): Login {
  if (view.sessionId !== login.view.sessionId) return follows(login.view, view) ? begin(view, true) : login;
  const read = gathered(login.view, view.lines);
  // Lines that came meanwhile brought what is written after them.
  const currentLine = (login.view.lines.at(-1)?.id ?? 0) > (view.lines.at(-1)?.id ?? 0) && view.active ? login.view.currentLine : view.currentLine;
  if (!outdated(login.view, view)) return { ...login, view: { ...view, ...read, currentLine }, reached: reached(view, login.reached) };
  return read.lines === login.view.lines ? login : { ...login, view: { ...login.view, ...read } };
}

/** A change of state: a view that comes without its lines. */
export function withStatus(login: Login, view: SessionView): Login {
  if (view.sessionId !== login.view.sessionId || outdated(login.view, view)) return login;
  const { lines, droppedLines } = login.view;
  const currentLine = view.active ? login.view.currentLine : null;
  return { ...login, view: { ...view, lines, droppedLines, currentLine }, reached: reached(view, login.reached) };
}

export function withLines(login: Login, event: LinesEvent): Login {
  if (event.sessionId !== login.view.sessionId) return login;
  const { view } = login;
  return {
    ...login,
    view: {
      ...view,
      ...gathered(view, event.lines),
      currentLine: event.currentLine,
      // A later, different code or address supersedes the first.
      deviceCode: event.deviceCode ?? view.deviceCode,
      verificationUrl: event.verificationUrl ?? view.verificationUrl,
    },
  };
}

/**
 * The lines of both, each once and in their order: the last ones, without a hole, as the Room keeps them. It
 * numbers its lines from one, so that a number says how many came before it.
 */
function gathered({ lines, droppedLines }: SessionView, more: Line[]): Pick<SessionView, 'lines' | 'droppedLines'> {
  const seen = new Set(lines.map((line) => line.id));
  const fresh = more.filter((line) => !seen.has(line.id));
  if (fresh.length === 0) return { lines, droppedLines };
  const all = [...lines, ...fresh].sort((a, b) => a.id - b.id);
  const hole = all.findLastIndex((line, index) => index > 0 && line.id !== (all[index - 1] as Line).id + 1);
  const kept = all.slice(Math.max(hole, 0)).slice(-MAX_LINES);
  return { lines: kept, droppedLines: Math.max(0, (kept.at(-1)?.id ?? 0) - kept.length) };
}

function outdated(known: SessionView, next: SessionView): boolean {
  if (!known.active && next.active) return true;
  return known.updatedAt !== null && next.updatedAt !== null && next.updatedAt < known.updatedAt;
}
