// How a sign-in ended, and what to do next; and a refusal that it survived.

import { useEffect, useRef } from 'preact/hooks';
import type { Provider, ProviderStatus, StoredKey } from '../api/wire-provider';
import type { Failure, SessionView } from '../api/wire-login';
import { failureCode, nextActions, type NextAction, type Phase } from '../state/outcome';
import { httpsUrl } from '../state/address';
import { plain } from '../state/plain';
import { redact } from '../state/redact';
import type { Login } from '../state/session';
import { t } from '../text';
import { w } from '../text/ended';
import { w as keyWords } from '../text/key';
import { language } from '../text/words';
import { useRoom } from './context';
import { CopyButton } from './copy';
import { Install } from './install';
import { storageWords } from './key';
import { Mark } from './parts';
import { StartError } from './refusal';
import { Link } from './router';

interface EndedProps {
  provider: Provider;
  login: Login;
  phase: Phase;
  kind: string | null;
}

/** An end of longer ago is no news to whoever comes to the page now. */
const FRESH_MS = 10_000;

export function Ended({ provider, login, phase, kind }: EndedProps) {
  const room = useRoom();
  const heading = useRef<HTMLHeadingElement>(null);
  // What had the focus is gone with the cards; the result takes it, so that it is read at once.
  useEffect(() => {
    const now = room.now() + room.clockOffset.peek();
    const fresh = now - (login.view.endedAt ?? now) < FRESH_MS;
    const at = document.activeElement?.tagName ?? 'BODY';
    if (at === 'BODY' || (at === 'H1' && fresh)) heading.current?.focus({ preventScroll: true });
    if (phase === 'failed' && fresh) room.say(failureWords(provider, login.view.failure, failureCode(login.view)).title);
  }, [phase]);

  if (phase === 'completed') return <Done provider={provider} view={login.view} heading={heading} />;
  if (phase === 'canceled') {
    return (
      <section class="card ended" data-testid="canceled">
        <h2 ref={heading} tabIndex={-1}>
          <Mark tone="off">{w.canceledTitle}</Mark>
        </h2>
        <p class="muted">{w.canceledText}</p>
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
        {login.view.exitCode !== null && login.view.exitCode !== 0 && ` · ${w.exit(login.view.exitCode)}`}
      </p>
    </section>
  );
}

function Done({ provider, view, heading }: { provider: Provider; view: SessionView; heading: { current: HTMLHeadingElement | null } }) {
  const room = useRoom();
  const status = room.manage.statuses.value[provider.id];
  const token = tokenOf(provider, view, status);
  const title = token === null ? w.doneTitle(provider.name) : w.tokenTitle(provider.name);
  const account = status?.account ?? null;
  return (
    <section class="card ended" data-testid="login-done">
      <h2 ref={heading} tabIndex={-1}>
        <Mark tone="good">{title}</Mark>
      </h2>
      {token === null ? (
        <p class="muted">
          {account !== null && <span data-testid="done-account">{w.doneAs(plain(account))} </span>}
          {w.doneText(provider.name)}
        </p>
      ) : (
        <div class="stack" data-testid="done-token" data-storage={token.storage}>
          <p>
            <strong>{storageWords(provider.name, token.storage)}.</strong>
          </p>
          <p class="muted">{w.tokenText(plain(token.last4))}</p>
          {token.storage === 'memory' && <p class="hint">{keyWords.memoryWhy}</p>}
        </div>
      )}
      <div class="stack">
        <Link to="/" class="button primary wide" data-testid="to-overview">
          {w.toOverview}
        </Link>
        <Link to="/providers" class="button wide">
          {w.toProviders}
        </Link>
        <button
          type="button"
          class="quiet"
          data-testid="afresh"
          onClick={() => {
            room.manage.logins.slot(provider.id).afresh.value = true;
          }}
        >
          {w.afresh}
        </button>
      </div>
    </section>
  );
}

/** The token that this sign-in ended in, if its method makes one, or if one was stored since it began. */
function tokenOf(provider: Provider, view: SessionView, status: ProviderStatus | undefined): StoredKey | null {
  const key = status?.key ?? null;
  if (key === null || key.kind !== 'token') return null;
  if (provider.methods.find((method) => method.id === view.method)?.yieldsToken === true) return key;
  return key.storedAt !== null && view.startedAt !== null && key.storedAt >= view.startedAt ? key : null;
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
      <p>{view.acceptsRaw || failure.code === 'unrecognised' ? w.lookAtOutput : waits ? w.stillWaiting : w.pasteAgain}</p>
      <button
        type="button"
        class="button"
        data-testid="action-fresh"
        disabled={room.manage.logins.slot(provider.id).busy.value !== null}
        onClick={() => void room.manage.logins.start(provider.id, { method: view.method, renew: true })}
      >
        {waits ? w.startAgain : freshLabel(kind)}
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
    // In the reader's language before in the Room's.
    title: plain((language.value === 'en' ? theirs?.title : null) || ours?.title || theirs?.title || other?.title || code),
    next: plain(ours?.next || theirs?.action || other?.next || ''),
  };
}

function freshLabel(kind: string | null): string {
  return kind === 'device_code' || kind === null ? w.actions.newCode : w.actions.newLink;
}

function Actions({ provider, view, code, kind }: { provider: Provider; view: SessionView; code: string; kind: string | null }) {
  const room = useRoom();
  const slot = room.manage.logins.slot(provider.id);
  const starting = slot.busy.value !== null;
  const again = (label: string, primary: boolean, name: string) => (
    <button
      key={name}
      type="button"
      class={primary ? 'button primary wide tall' : 'button wide'}
      data-testid={`action-${name}`}
      disabled={starting}
      onClick={() => void room.manage.logins.start(provider.id, { method: view.method, renew: true })}
    >
      {starting ? w.beginning : label}
    </button>
  );
  const draw = (action: NextAction, first: boolean) => {
    switch (action) {
      case 'fresh':
        return again(freshLabel(kind), first, 'fresh');
      case 'again':
        return again(w.actions.again, first, 'again');
      case 'install':
        return <Install key={action} provider={provider} status={room.manage.statuses.value[provider.id]} />;
      case 'other_way':
        if (provider.methods.length + provider.keys.length < 2) return null;
        return (
          <button
            key={action}
            type="button"
            class="button wide"
            data-testid="action-other-way"
            onClick={() => {
              slot.afresh.value = true;
              slot.others.value = true;
            }}
          >
            {w.actions.otherWays}
          </button>
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
