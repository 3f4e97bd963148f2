// One sign-in to a provider, from the first tap to its end. Leaving the page does not cancel it;
// whoever comes back, on this device or another, sees the same one.

import { useEffect, useRef } from 'preact/hooks';
import type { Method, Provider } from '../api/wire';
import { mark, secondsLeft } from '../state/countdown';
import { trustedUrl } from '../state/address';
import { plain } from '../state/plain';
import { failureCode, phaseOf, showsOutput, stillReadable } from '../state/outcome';
import { STEPS, type Login as LoginState } from '../state/session';
import { dayTime, t } from '../text';
import styles from '../styles/login.css?inline';
import { w } from '../text/login';
import { CodeCard, LinkCard, PhoneCard } from './approve';
import { useRoom } from './context';
import { Ended, Refused } from './ended';
import { Output } from './output';
import { ErrorNote, Icon, Page, Skeleton, useNow } from './parts';
import { PasteCard } from './paste';
import { Link } from './router';
import { adopt } from './sheet';
import { StartError } from './start-error';
import { Install, Prerequisite, primaryMethod } from './setup';

adopt(styles);

export function Login({ id }: { id: string }) {
  const room = useRoom();
  const provider = room.providers.table.value?.find((row) => row.id === id);
  const slot = room.logins.slot(id);
  useEffect(() => {
    void room.logins.load(id);
  }, [id, room]);

  const back = (
    <Link to="/providers" class="back" data-testid="back">
      <Icon name="back" />
      {w.login.back}
    </Link>
  );
  if (provider === undefined) {
    const error = room.providers.error.value;
    return (
      <Page title={w.login.title('…')} before={back} testid="login-screen">
        {error !== null && <ErrorNote error={error} retry={() => void room.providers.refresh()} />}
        {error === null && (room.providers.known.value ? <p>{w.login.unknown}</p> : <Skeleton />)}
      </Page>
    );
  }
  const login = slot.login.value;
  const status = room.providers.statuses.value[id];
  const readable = login !== null && stillReadable(login.view, status, room.now(), room.clockOffset.value);
  const shown = readable && (login.view.active || !slot.afresh.value) ? login : null;
  return (
    <Page title={w.login.title(provider.name)} before={back} testid="login-screen">
      {shown === null ? <Start provider={provider} /> : <Running provider={provider} login={shown} />}
    </Page>
  );
}

/** Before the first tap: what has to be true, and what will happen. */
function Start({ provider }: { provider: Provider }) {
  const room = useRoom();
  const { id, name } = provider;
  const slot = room.logins.slot(id);
  const status = room.providers.statuses.value[id];
  const first = provider.methods.find((method) => method.id === primaryMethod(provider));
  const others = provider.methods.filter((method) => method !== first);
  const starting = slot.busy.value === 'starting';
  const error = slot.error.value;
  /** The method that was asked for last, to ask for it again. */
  const tried = useRef(first?.id ?? null);
  const start = (method: Method) => {
    tried.current = method.id;
    void room.logins.start(id, method.id);
  };
  const loaded = slot.loaded.value;
  if (typeof loaded !== 'boolean' && error === null) return <ErrorNote error={loaded} retry={() => void room.logins.load(id)} />;
  if (!loaded && error === null && !starting) return <Skeleton />;
  if (status?.installed === false || error?.code === 'not_installed') {
    return (
      <section class="card column" data-testid="failure" data-code="not_installed">
        <h2>{t.overview.notInstalled(name)}</h2>
        {error?.problem.detail != null && <p class="muted">{plain(error.problem.detail)}</p>}
        <Install provider={provider} />
        {status?.installed === true && first !== undefined && (
          <button type="button" class="button primary wide" disabled={starting} onClick={() => start(first)}>
            {w.actions.again}
          </button>
        )}
      </section>
    );
  }
  return (
    <div class="column">
      <StartError provider={provider} method={tried.current} />
      {status?.connected === true && error === null && <p class="note good">{w.login.stillConnected(name)}</p>}
      {first !== undefined && (
        <section class="card" data-testid="login-start">
          <h2>{plain(first.label)}</h2>
          {provider.prerequisite !== null && <Prerequisite text={provider.prerequisite.text} url={provider.prerequisite.url} />}
          {first.steps.length > 0 && (
            <ol class="how">
              {first.steps.map((step) => (
                <li key={step}>{plain(step)}</li>
              ))}
            </ol>
          )}
          {first.note !== null && <p class="hint">{plain(first.note)}</p>}
          <button type="button" class="button primary wide" data-testid="start" disabled={starting} onClick={() => start(first)}>
            {starting ? w.login.beginning : beginLabel(first)}
          </button>
        </section>
      )}
      {others.length > 0 && (
        <details class="card fold" data-testid="other-methods">
          <summary>
            <Icon name="chevron" />
            {w.login.otherWays}
          </summary>
          <ul class="rows">
            {others.map((method) => (
              <li key={method.id}>
                <span>
                  <strong>{plain(method.label)}</strong>
                  {method.note !== null && <span class="hint block">{plain(method.note)}</span>}
                </span>
                <button
                  type="button"
                  class="button"
                  data-testid={`method-${method.id}`}
                  disabled={starting}
                  onClick={() => start(method)}
                >
                  {w.login.begin}
                </button>
              </li>
            ))}
          </ul>
        </details>
      )}
    </div>
  );
}

function beginLabel(method: Method): string {
  if (method.kind === 'device_code') return w.login.beginCode;
  return method.kind === 'pasted_code' ? w.login.beginLink : w.login.begin;
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
  const pasting =
    method?.kind === 'pasted_code' ||
    method?.kind === 'pasted_url' ||
    (method?.kind !== 'device_code' && view.deviceCode === null) ||
    view.awaitingInput;
  const shows = view.deviceCode !== null || view.verificationUrl !== null;
  return (
    <div class={url === null ? 'run column' : 'run sided'} data-testid="login-run" data-status={view.status} data-step={view.step}>
      <div class="main">
        <Steps login={login} broken={false} />
        {login.joined && view.startedAt !== null && (
          <p class="hint" data-testid="joined">
            {w.login.joined(dayTime(view.startedAt - offset, now), view.startedBy === null ? null : plain(view.startedBy))}
          </p>
        )}
        {view.notice !== null && <Refused provider={provider} view={view} kind={method?.kind ?? null} />}
        {!shows && !past && view.notice?.code !== 'unrecognised' && (
          <section class="card" data-testid="preparing">
            <h2>{w.login.preparing}</h2>
            <p class="muted">{w.login.preparingText(provider.name)}</p>
            <div class="blank" aria-hidden="true" />
          </section>
        )}
        {past && !(pasting && view.step === 'storing') && (
          <section class="card" data-testid="finishing">
            <h2>{w.login.steps[login.reached]}</h2>
            <p class="muted">{view.step === 'storing' ? w.login.storing : w.login.verifying(provider.name)}</p>
          </section>
        )}
        {shows && !past && view.deviceCode !== null && <CodeCard view={view} code={view.deviceCode} url={url} left={left} />}
        {shows && !past && view.deviceCode === null && <LinkCard view={view} url={url} left={left} numbered={pasting} />}
        {pasting && view.step !== 'verifying' && (shows || view.awaitingInput) && (
          <PasteCard provider={provider} view={view} kind={method?.kind ?? 'pasted_code'} />
        )}
        {shows && !past && view.deviceCode !== null && provider.prerequisite !== null && (
          <details class="card fold" data-testid="codes-off">
            <summary>
              <Icon name="chevron" />
              {w.login.codesOff}
            </summary>
            <Prerequisite text={provider.prerequisite.text} url={provider.prerequisite.url} bare />
          </details>
        )}
        <Output view={view} openAtFirst={view.notice?.code === 'unrecognised'} />
        <Cancel id={provider.id} />
      </div>
      {url !== null && !past && <PhoneCard url={url} code={view.deviceCode === null ? null : plain(view.deviceCode)} />}
    </div>
  );
}

function Cancel({ id }: { id: string }) {
  const room = useRoom();
  const slot = room.logins.slot(id);
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
        onClick={() => void room.logins.cancel(id)}
      >
        {cancelling ? w.login.cancelling : w.login.cancel}
      </button>
    </>
  );
}

function Steps({ login, broken }: { login: LoginState; broken: boolean }) {
  return (
    <ol class="steps" aria-label={w.login.stepsLabel} data-testid="steps" data-reached={login.reached}>
      {STEPS.map((step, index) => {
        const state = index < login.reached ? 'past' : index > login.reached ? 'next' : broken ? 'broken' : 'current';
        return (
          <li key={step} class={state} aria-current={index === login.reached ? 'step' : undefined}>
            {w.login.steps[index]}
          </li>
        );
      })}
    </ol>
  );
}

/** One polite sentence for each change, and for the time left at 5, 1 and 0 minutes. */
function useAnnouncements(provider: Provider, login: LoginState, phase: string, left: number | null): void {
  const room = useRoom();
  const before = useRef<{ key: string; left: number | null } | null>(null);
  const key = `${phase} ${login.reached} ${login.view.deviceCode ?? ''}`;
  useEffect(() => {
    const last = before.current;
    before.current = { key, left };
    if (last === null) return;
    if (last.key !== key) {
      const label = w.login.steps[login.reached];
      if (phase === 'completed') room.say(w.login.doneTitle(provider.name));
      else if (phase === 'canceled') room.say(w.login.canceledTitle);
      else if (phase === 'active' && label !== undefined) room.say(w.login.stepSaid(login.reached + 1, label));
      return;
    }
    const minutes = phase === 'active' ? mark(last.left, left) : null;
    if (minutes !== null) room.say(w.login.timeSaid[minutes]);
  }, [key, left]);
}
