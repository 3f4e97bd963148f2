// A session with a provider's program, a sign-in or an install, as the wire has it. Apart from the rest,
// because a page loads it with the first one that it shows.

import { fields, flag, list, number, text, time } from './wire';

export type SessionStatus = 'starting' | 'running' | 'completed' | 'failed' | 'canceled' | 'timeout';
export type SessionStep = 'launching' | 'awaiting_approval' | 'awaiting_input' | 'storing' | 'verifying' | 'cancelling' | 'done';

export interface Line {
  /** Rises with each line of the session, from one; a number that is left out is a line left out. */
  id: number;
  stream: string;
  text: string;
}

export interface Failure {
  code: string;
  title: string;
  action: string;
}

/** One session as the server sees it. Times are milliseconds since 1970, by the server's clock. */
export interface SessionView {
  sessionId: string;
  provider: string;
  method: string | null;
  status: SessionStatus;
  step: SessionStep;
  startedAt: number | null;
  updatedAt: number | null;
  endedAt: number | null;
  deadline: number | null;
  exitCode: number | null;
  verificationUrl: string | null;
  deviceCode: string | null;
  awaitingInput: boolean;
  /** The owner may type into the program, which asks what the Room does not understand. */
  acceptsRaw: boolean;
  inputHint: string | null;
  /** Why it did not work, once it is over. */
  failure: Failure | null;
  /** What holds it up while it still runs. */
  notice: Failure | null;
  startedBy: string | null;
  active: boolean;
  lines: Line[];
  droppedLines: number;
  /** What the program is writing now: a question without a line break, a progress line. No line yet. */
  currentLine: string | null;
}

/** What `provider_auth:line` carries. */
export interface LinesEvent {
  sessionId: string;
  lines: Line[];
  currentLine: string | null;
  deviceCode: string | null;
  verificationUrl: string | null;
}

export function readLines(value: unknown): Line[] {
  return list(value).map((entry, index) => {
    const line = fields(entry);
    return {
      id: number(line['id']) ?? index + 1,
      stream: text(line['stream']) ?? '',
      text: typeof line['text'] === 'string' ? line['text'] : '',
    };
  });
}

function readFailure(value: unknown): Failure | null {
  const failure = fields(value);
  const code = text(failure['code']);
  return code === null ? null : { code, title: text(failure['title']) ?? '', action: text(failure['action']) ?? '' };
}

/** A session view, bare or as `{session: …}`; null if it has no id. */
export function readSession(value: unknown): SessionView | null {
  const outer = fields(value);
  const view = 'session' in outer ? fields(outer['session']) : outer;
  const sessionId = text(view['sessionId']) ?? text(view['id']);
  if (sessionId === null) return null;
  // A word of a newer server passes; `active` says all that has to be known of it.
  const status = (text(view['status']) ?? 'running') as SessionStatus;
  const active = flag(view['active']) ?? (status === 'starting' || status === 'running');
  const failure = readFailure(view['failure']);
  return {
    sessionId,
    provider: text(view['provider']) ?? '',
    method: text(view['method']),
    status,
    step: (text(view['step']) ?? 'launching') as SessionStep,
    startedAt: time(view['startedAt']),
    updatedAt: time(view['updatedAt']),
    endedAt: time(view['endedAt']),
    deadline: time(view['deadline']),
    exitCode: number(view['exitCode']),
    verificationUrl: text(view['verificationUrl']),
    deviceCode: text(view['deviceCode']),
    awaitingInput: view['awaitingInput'] === true,
    acceptsRaw: active && view['acceptsRaw'] === true,
    inputHint: text(view['inputHint']),
    failure: active ? null : failure,
    notice: active ? (readFailure(view['notice']) ?? failure) : null,
    startedBy: text(view['startedBy']),
    active,
    lines: readLines(view['lines']),
    droppedLines: number(view['droppedLines']) ?? 0,
    currentLine: active ? text(view['currentLine']) : null,
  };
}

export function readLinesEvent(value: unknown): LinesEvent | null {
  const event = fields(value);
  const sessionId = text(event['sessionId']);
  if (sessionId === null) return null;
  return {
    sessionId,
    lines: readLines(event['lines']),
    currentLine: text(event['currentLine']),
    deviceCode: text(event['deviceCode']),
    verificationUrl: text(event['verificationUrl']),
  };
}
