// Before the first tap: the best way in, with what has to be true for it, and the others quietly.

import { useRef, useState } from 'preact/hooks';
import type { ApiError } from '../api/client';
import type { Method, Provider } from '../api/wire-provider';
import { plain } from '../state/plain';
import { w as keyWords } from '../text/key';
import { w } from '../text/login';
import { useRoom } from './context';
import { useDraft } from './draft';
import { Install } from './install';
import { KeyForm, KeyPart } from './key';
import { ErrorNote, Icon, Skeleton, told } from './parts';
import { AT_EMAIL, StartError } from './refusal';
import { served } from './served';
import { bestWay, Prerequisite } from './setup';

export function Start({ provider }: { provider: Provider }) {
  const room = useRoom();
  const { id, name } = provider;
  const slot = room.manage.logins.slot(id);
  const installing = room.manage.installs.slot(id).login.value?.view.active === true;
  const status = room.manage.statuses.value[id];
  const first = bestWay(provider);
  const others = provider.methods.filter((method) => method !== first);
  const starting = slot.busy.value === 'starting';
  const error = slot.error.value;
  /** The method that was asked for last, to ask for it again. */
  const tried = useRef(first?.id ?? null);
  const start = (method: Method, email?: string) => {
    tried.current = method.id;
    void room.manage.logins.start(id, { method: method.id, email });
  };
  const loaded = slot.loaded.value;
  if (typeof loaded !== 'boolean' && error === null) return <ErrorNote error={loaded} retry={() => void room.manage.logins.load(id)} />;
  if (!loaded && error === null && !starting) return <Skeleton />;
  const missing = status?.installed === false || (error?.code === 'not_installed' && status?.installed !== true);
  // A key that the Room keeps needs no program; what the program stores does.
  const stored = status?.key ?? null;
  return (
    <div class="column">
      {missing || installing || status?.tooOld === true ? (
        <section class="card" data-testid={missing ? 'failure' : 'program'} data-code={missing ? 'not_installed' : 'too_old'}>
          {error?.code === 'not_installed' && <p class="muted">{plain(told(error.problem) ?? '')}</p>}
          <Install provider={provider} status={status} />
        </section>
      ) : (
        <>
          <Install provider={provider} status={status} />
          <StartError provider={provider} method={tried.current} />
          {status?.connected === true && error === null && <p class="note good">{w.stillConnected(name)}</p>}
        </>
      )}
      {!missing && !installing && first !== undefined && (
        <section class="card" data-testid="login-start">
          <h2>{served(first.label)}</h2>
          {provider.prerequisite !== null && first.kind === 'device_code' && (
            <Prerequisite text={provider.prerequisite.text} url={provider.prerequisite.url} />
          )}
          {first.steps.length > 0 && (
            <ol class="how">
              {first.steps.map((step) => (
                <li key={step}>{served(step)}</li>
              ))}
            </ol>
          )}
          {first.note !== null && <p class="hint">{served(first.note)}</p>}
          <button
            type="button"
            class="button primary wide tall"
            data-testid="start"
            disabled={starting || status?.tooOld === true}
            onClick={() => start(first)}
          >
            {starting ? w.beginning : beginLabel(first)}
          </button>
        </section>
      )}
      {(others.length > 0 || provider.keys.length > 0) && !missing && !installing && (
        <details
          class="card fold"
          data-testid="other-methods"
          open={slot.others.value}
          onToggle={(event) => {
            slot.others.value = event.currentTarget.open;
          }}
        >
          <summary>
            <Icon name="chevron" />
            {w.otherWays}
          </summary>
          <ul class="rows">
            {others.map((method) => (
              <Way
                key={method.id}
                provider={provider}
                method={method}
                error={error !== null && tried.current === method.id && AT_EMAIL.includes(error.code) ? error : null}
                disabled={starting || status?.tooOld === true}
                start={start}
              />
            ))}
            {provider.keys.length > 0 && <KeyWay provider={provider} has={stored !== null} />}
          </ul>
        </details>
      )}
      {stored !== null && (
        <section class="card bare">
          <KeyPart provider={provider} stored={stored} />
        </section>
      )}
    </div>
  );
}

interface WayProps {
  provider: Provider;
  method: Method;
  /** What is wrong with the e-mail address. */
  error: ApiError | null;
  disabled: boolean;
  start: (method: Method, email?: string) => void;
}

function Way({ provider, method, error, disabled, start }: WayProps) {
  const field = `email-${provider.id}-${method.id}`;
  const [email, setEmail] = useDraft(field);
  const about = method.note === null ? (method.yieldsToken ? w.tokenNote : w.kinds[method.kind]) : served(method.note);
  return (
    <li>
      <form
        class="way"
        onSubmit={(event) => {
          event.preventDefault();
          start(method, email.trim() || undefined);
        }}
      >
        <span>
          <strong>{served(method.label)}</strong>
          {about !== undefined && <span class="hint block">{about}</span>}
        </span>
        {method.takesEmail && (
          <span class="email">
            <label for={field}>{w.email}</label>
            <input
              id={field}
              class="field"
              data-testid={field}
              type="email"
              autocomplete="email"
              inputmode="email"
              value={email}
              aria-invalid={error !== null}
              aria-describedby={`${field}-help`}
              onInput={(event) => setEmail(event.currentTarget.value)}
            />
            <span id={`${field}-help`} class="hint bad block" data-testid="email-error">
              {error !== null && (error.code === 'email_needed' ? w.emailNeeded : w.badEmail)}
            </span>
          </span>
        )}
        <button type="submit" class="button" data-testid={`method-${method.id}`} disabled={disabled}>
          {w.begin}
          <span class="sr"> {served(method.label)}</span>
        </button>
      </form>
    </li>
  );
}

/** Once there is a key, it is replaced where it is shown. */
function KeyWay({ provider, has }: { provider: Provider; has: boolean }) {
  const [open, setOpen] = useState(false);
  if (has) return null;
  return (
    <li>
      {open ? (
        <KeyForm provider={provider} onDone={() => setOpen(false)} onLeave={() => setOpen(false)} />
      ) : (
        <>
          <span>
            <strong>{provider.keys.map((kind) => served(kind.label)).join(keyWords.or)}</strong>
            <span class="hint block">{keyWords.useText}</span>
          </span>
          <button type="button" class="button" data-testid={`use-key-${provider.id}`} onClick={() => setOpen(true)}>
            {keyWords.use}
          </button>
        </>
      )}
    </li>
  );
}

function beginLabel(method: Method): string {
  if (method.kind === 'device_code') return w.beginCode;
  return method.kind === 'pasted_code' || method.kind === 'pasted_callback' ? w.beginLink : w.begin;
}
