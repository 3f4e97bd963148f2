// How a sign-in ended, and what to do next; and a refusal that it survived.

import { useEffect, useRef } from 'preact/hooks';
import type { Provider } from '../api/wire';
import type { Failure, SessionView } from '../api/wire-login';
import { failureCode, nextActions, type NextAction, type Phase } from '../state/outcome';
import { httpsUrl } from '../state/address';
import { plain } from '../state/plain';
import { redact } from '../state/redact';
import type { Login } from '../state/session';
import { t } from '../text';
import { w } from '../text/login';
import { useRoom } from './context';
import { Command, CopyButton } from './copy';
import { Mark } from './parts';
import { StartError } from './start-error';
import { Link } from './router';

interface EndedProps {
  provider: Provider;
  login: Login;
  phase: Phase;
  kind: string | null;
}

export function Ended({ provider, login, phase, kind }: EndedProps) {
  const heading = useRef<HTMLHeadingElement>(null);
  // What had the focus is gone with the cards; the result takes it, so that it is read at once.
  useEffect(() => {
    if (document.activeElement === null || document.activeElement === document.body)
      heading.current?.focus({ preventScroll: true });
  }, [phase]);

  if (phase === 'completed') return <Done provider={provider} heading={heading} />;
  if (phase === 'canceled') {
    return (
      <section class="card ended" data-testid="canceled">
        <h2 ref={heading} tabIndex={-1}>
          <Mark tone="off">{w.login.canceledTitle}</Mark>
        </h2>
        <p class="muted">{w.login.canceledText}</p>
        <Actions provider={provider} view={login.view} code="canceled" kind={kind} />
      </section>
    );
  }
  const code = failureCode(login.view);
  const { title, next } = failureWords(provider, login.view.failure, code);
  return (
    <section class="card ended" data-testid="failure" data-code={code}>
      <h2 ref={heading} tabIndex={-1}>
        <Mark tone="bad">{title}</Mark>
      </h2>
      <p>{next}</p>
      <Actions provider={provider} view={login.view} code={code} kind={kind} />
      <p class="hint">
        {t.common.code(code)}
        {login.view.exitCode !== null && login.view.exitCode !== 0 && ` · ${w.login.exit(login.view.exitCode)}`}
      </p>
    </section>
  );
}

function Done({ provider, heading }: { provider: Provider; heading: { current: HTMLHeadingElement | null } }) {
  const room = useRoom();
  const account = room.providers.statuses.value[provider.id]?.account ?? null;
  return (
    <section class="card ended" data-testid="login-done">
      <h2 ref={heading} tabIndex={-1}>
        <Mark tone="good">{w.login.doneTitle(provider.name)}</Mark>
      </h2>
      <p class="muted">
        {account !== null && <span data-testid="done-account">{w.login.doneAs(plain(account))} </span>}
        {w.login.doneText(provider.name)}
      </p>
      <div class="stack">
        <Link to="/" class="button primary wide" data-testid="to-overview">
          {w.login.toOverview}
        </Link>
        <Link to="/providers" class="button wide">
          {w.login.toProviders}
        </Link>
        <button
          type="button"
          class="quiet"
          data-testid="afresh"
          onClick={() => {
            room.logins.slot(provider.id).afresh.value = true;
          }}
        >
          {w.login.afresh}
        </button>
      </div>
    </section>
  );
}

/** A refusal or a hint while the sign-in goes on: a code that was not taken, a program that is silent. */
export function Refused({ provider, view, kind }: { provider: Provider; view: SessionView; kind: string | null }) {
  const room = useRoom();
  const failure = view.notice;
  if (failure === null) return null;
  // Silence, or a question nobody taught the Room: it is not refused yet.
  const waits = !view.awaitingInput;
  const { title } = failureWords(provider, failure, failure.code);
  return (
    <div class={`note ${waits ? 'wait' : 'bad'}`} data-testid="hint" data-code={failure.code}>
      <Mark tone={waits ? 'wait' : 'bad'}>{title}</Mark>
      <p>{failure.code === 'unrecognised' ? w.login.lookAtOutput : waits ? w.login.stillWaiting : w.login.pasteAgain}</p>
      <button
        type="button"
        class="button"
        data-testid="action-fresh"
        disabled={room.logins.slot(provider.id).busy.value !== null}
        onClick={() => void room.logins.start(provider.id, view.method, { renew: true })}
      >
        {waits ? w.login.startAgain : freshLabel(kind)}
      </button>
    </div>
  );
}

/**
 * What happened is told in the Room's words, because it knows the case; what to do next in ours, because
 * they fit the buttons. Each stands in where the other is silent.
 */
function failureWords(provider: Provider, theirs: Failure | null, code: string): { title: string; next: string } {
  const ours = w.failures[code]?.(provider.name);
  const other = w.failures['unrecognised']?.(provider.name);
  return {
    title: plain(theirs?.title || (ours ?? other)?.title || code),
    next: plain(ours?.next || theirs?.action || other?.next || ''),
  };
}

function freshLabel(kind: string | null): string {
  return kind === 'device_code' || kind === null ? w.actions.newCode : w.actions.newLink;
}

function Actions({ provider, view, code, kind }: { provider: Provider; view: SessionView; code: string; kind: string | null }) {
  const room = useRoom();
  const slot = room.logins.slot(provider.id);
  const starting = slot.busy.value !== null;
  const again = (label: string, primary: boolean, name: string) => (
    <button
      key={name}
      type="button"
      class={primary ? 'button primary wide tall' : 'button wide'}
      data-testid={`action-${name}`}
      disabled={starting}
      onClick={() => void room.logins.start(provider.id, view.method, { renew: true })}
    >
      {starting ? w.login.beginning : label}
    </button>
  );
  const draw = (action: NextAction, first: boolean) => {
    switch (action) {
      case 'fresh':
        return again(freshLabel(kind), first, 'fresh');
      case 'again':
        return again(w.actions.again, first, 'again');
      case 'check_install':
        return (
          <div key={action} class="stack">
            {provider.installCommand !== null && <Command command={provider.installCommand} />}
            {again(w.actions.checkInstall, first, 'check-install')}
          </div>
        );
      case 'open_setting': {
        const url = httpsUrl(provider.prerequisite?.url ?? null);
        return url === null ? null : (
          <a
            key={action}
            class="button primary wide tall"
            href={url.href}
            target="_blank"
            rel="noopener noreferrer"
            data-testid="action-open-setting"
          >
            {w.actions.openSetting}
            <span class="sr"> ({t.common.opensNewTab})</span>
          </a>
        );
      }
      case 'copy_for_admin':
        return (
          <CopyButton
            key={action}
            text={w.adminNote(provider.name)}
            class="button primary wide tall"
            testid="action-copy-for-admin"
          >
            {w.actions.copyForAdmin}
          </CopyButton>
        );
      default:
        return (
          <CopyButton
            key={action}
            text={() => details(provider, view, code, room.build)}
            class={first ? 'button primary wide tall' : 'button wide'}
            testid="action-copy-details"
          >
            {w.actions.copyDetails}
          </CopyButton>
        );
    }
  };
  return (
    <div class="stack">
      {nextActions(code).map((action, index) => draw(action, index === 0))}
      <StartError provider={provider} method={view.method} />
    </div>
  );
}

/** For a report: no codes, no keys, no addresses with their secrets, no e-mail. */
function details(provider: Provider, view: SessionView, code: string, build: string): string {
  const when = (ms: number | null) => (ms === null ? '-' : new Date(ms).toISOString());
  return redact(
    [
      `${provider.name} ${view.method ?? ''}: ${code}`,
      view.failure === null ? '' : `${view.failure.title} ${view.failure.action}`,
      `status ${view.status}, step ${view.step}, exit ${view.exitCode ?? '-'}`,
      `started ${when(view.startedAt)}, ended ${when(view.endedAt)}`,
      `page ${build}`,
      ...view.lines.slice(-40).map((line) => line.text),
    ].join('\n'),
    [view.deviceCode, view.verificationUrl],
  );
}
