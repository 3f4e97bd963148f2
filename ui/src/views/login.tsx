// One sign-in to a provider, from the first tap to its end. Leaving the page does not cancel it;
// whoever comes back, on this device or another, sees the same one.

import { useEffect, useRef } from 'preact/hooks';
import type { Provider } from '../api/wire-provider';
import { mark, secondsLeft } from '../state/countdown';
import { trustedUrl } from '../state/address';
import { plain } from '../state/plain';
import { failureCode, phaseOf, showsOutput, stillReadable } from '../state/outcome';
import type { Login as LoginState } from '../state/session';
import { dayTime } from '../text';
import styles from '../styles/login.css?inline';
import { w } from '../text/login';
import { CodeCard, LinkCard, PhoneCard } from './approve';
import { useRoom } from './context';
import { lazy } from './lazy';
import { Output } from './output';
import { ErrorNote, Icon, Page, Skeleton, useNow } from './parts';
import { PasteCard } from './paste';
import { Link } from './router';
import { Prerequisite } from './setup';
import { adopt } from './sheet';
import { StepBar } from './steps';

const Start = lazy(async () => (await import('./ways')).Start);
const Ended = lazy(async () => (await import('./ended')).Ended);
const Refused = lazy(async () => (await import('./ended')).Refused, null);
const Answer = lazy(async () => (await import('./answer')).Answer, null);

adopt(styles);

export function Login({ id }: { id: string }) {
  const room = useRoom();
  const provider = room.manage.table.value?.find((row) => row.id === id);
  useEffect(() => {
    void room.manage.logins.load(id);
  }, [id, room]);

  const back = (
    <Link to="/providers" class="back" data-testid="back">
      <Icon name="back" />
      {w.back}
    </Link>
  );
  if (provider === undefined) {
    const error = room.providers.error.value;
    return (
      <Page title={w.title('…')} before={back} testid="login-screen">
        {error !== null && <ErrorNote error={error} retry={() => void room.providers.refresh()} />}
        {error === null && (room.providers.known.value ? <p>{w.unknown}</p> : <Skeleton />)}
      </Page>
    );
  }
  return (
    <Page title={w.title(provider.name)} before={back} testid="login-screen">
      <Stages provider={provider} />
    </Page>
  );
}

function Stages({ provider }: { provider: Provider }) {
  const room = useRoom();
  const slot = room.manage.logins.slot(provider.id);
  const login = slot.login.value;
  const status = room.manage.statuses.value[provider.id];
  const readable = login !== null && stillReadable(login.view, status, room.now(), room.clockOffset.value);
  const shown = readable && (login.view.active || !slot.afresh.value) ? login : null;
  useFocus(shown?.view.active ? `${shown.view.sessionId} ${shown.view.step} ${shown.view.verificationUrl !== null}` : '');
  return shown === null ? <Start provider={provider} /> : <Running provider={provider} login={shown} />;
}

function Running({ provider, login }: { provider: Provider; login: LoginState }) {
  const room = useRoom();
  const { view } = login;
  const now = useNow(view.active);
  const offset = room.clockOffset.value;
  const phase = phaseOf(login, now, offset);
  const left = secondsLeft(view.deadline, now, offset);
  const method = provider.methods.find((row) => row.id === view.method);
  useAnnouncements(provider, login, phase, left);

  if (phase !== 'active') {
    return (
      <div class="column">
        {phase !== 'canceled' && <Steps login={login} broken={phase === 'failed'} />}
        <Ended provider={provider} login={login} phase={phase} kind={method?.kind ?? null} />
        <Output view={view} openAtFirst={phase === 'failed' && showsOutput(failureCode(view))} />
      </div>
    );
  }

  const url = trustedUrl(view.verificationUrl, provider.hosts);
  const past = view.step === 'storing' || view.step === 'verifying';
  const kind = method?.kind ?? (view.deviceCode === null ? 'pasted_code' : 'device_code');
  const callback = kind === 'pasted_callback';
  const pasting = callback || kind === 'pasted_code' || view.awaitingInput;
  // What the Room does not understand, the owner may answer; everyone sees that it asks.
  const stuck = view.acceptsRaw || view.notice?.code === 'unrecognised';
  const shows = view.deviceCode !== null || view.verificationUrl !== null;
  return (
    <div class={url === null || callback ? 'run column' : 'run sided'} data-testid="login-run" data-status={view.status} data-step={view.step}>
      <div class="main">
        <Steps login={login} broken={false} />
        {login.joined && view.startedAt !== null && (
          <p class="hint" data-testid="joined">
            {w.joined(dayTime(view.startedAt - offset, now), view.startedBy === null ? null : plain(view.startedBy))}
          </p>
        )}
        {view.notice !== null && <Refused provider={provider} view={view} kind={kind} />}
        {stuck && <Answer provider={provider} view={view} />}
        {!shows && !past && !stuck && (
          <section class="card" data-testid="preparing">
            <h2>{w.preparing}</h2>
            <p class="muted">{w.preparingText(provider.name)}</p>
            <div class="blank" aria-hidden="true" />
          </section>
        )}
        {past && !(pasting && view.step === 'storing') && (
          <section class="card" data-testid="finishing">
            <h2>{w.steps[login.reached]}</h2>
            <p class="muted">{view.step === 'storing' ? w.storing : w.verifying(provider.name)}</p>
          </section>
        )}
        {shows && !past && view.deviceCode !== null && <CodeCard view={view} code={view.deviceCode} url={url} left={left} />}
        {shows && !past && view.deviceCode === null && <LinkCard view={view} url={url} left={left} kind={callback ? 'callback' : pasting ? 'paste' : 'plain'} />}
        {pasting && view.step !== 'verifying' && (shows || view.awaitingInput) && (
          <PasteCard provider={provider} view={view} kind={kind} />
        )}
        {shows && !past && view.deviceCode !== null && provider.prerequisite !== null && (
          <details class="card fold" data-testid="codes-off">
            <summary>
              <Icon name="chevron" />
              {w.codesOff}
            </summary>
            <Prerequisite text={provider.prerequisite.text} url={provider.prerequisite.url} bare />
          </details>
        )}
        <Output view={view} openAtFirst={false} />
        <Cancel id={provider.id} />
      </div>
      {url !== null && !past && !callback && <PhoneCard url={url} code={view.deviceCode === null ? null : plain(view.deviceCode)} />}
    </div>
  );
}

/** What had the focus may be gone with the stage before; then the heading has it. An end has one of its own. */
function useFocus(stage: string): void {
  const before = useRef(stage);
  useEffect(() => {
    if (stage !== '' && before.current !== stage && document.activeElement === document.body) document.querySelector('h1')?.focus({ preventScroll: true });
    before.current = stage;
  }, [stage]);
}

function Cancel({ id }: { id: string }) {
  const room = useRoom();
  const slot = room.manage.logins.slot(id);
  const view = slot.login.value?.view;
  const cancelling = slot.busy.value === 'cancelling' || view?.step === 'cancelling';
  return (
    <>
      {slot.error.value !== null && <ErrorNote error={slot.error.value} testid="login-error" />}
      <button
        type="button"
        class="quiet bad cancel"
        data-testid="cancel"
        disabled={cancelling}
        onClick={() => void room.manage.logins.cancel(id)}
      >
        {cancelling ? w.cancelling : w.cancel}
      </button>
    </>
  );
}

function Steps({ login, broken }: { login: LoginState; broken: boolean }) {
  return <StepBar steps={w.steps} reached={login.reached} broken={broken} label={w.stepsLabel} />;
}

/** One polite sentence for each change, and for the time left at 5, 1 and 0 minutes. A failure says itself. */
function useAnnouncements(provider: Provider, login: LoginState, phase: string, left: number | null): void {
  const room = useRoom();
  const before = useRef<{ key: string; code: string | null; left: number | null } | null>(null);
  const key = `${phase} ${login.reached}`;
  const code = login.view.deviceCode;
  useEffect(() => {
    const last = before.current;
    before.current = { key, code, left };
    if (last === null) {
      // Where one begins or comes back to; what is over already is read where it stands.
      if (phase === 'active' && login.reached > 0) room.say(w.stepSaid(login.reached + 1, w.steps[login.reached] ?? ''));
      return;
    }
    // Another code in the place of one is a new start of the same step.
    if (last.key !== key || (last.code !== null && last.code !== code)) {
      const label = w.steps[login.reached];
      if (phase === 'completed') room.say(w.doneTitle(provider.name));
      else if (phase === 'canceled') room.say(w.canceledTitle);
      else if (phase === 'active' && label !== undefined) room.say(w.stepSaid(login.reached + 1, label));
      return;
    }
    const minutes = phase === 'active' ? mark(last.left, left) : null;
    if (minutes !== null) room.say(w.timeSaid[minutes]);
  }, [key, code, left]);
}
