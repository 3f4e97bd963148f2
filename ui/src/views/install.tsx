// A provider's program: how it gets onto the Room and stays new enough, by the Room or by hand.

import { useEffect, useRef } from 'preact/hooks';
import type { Provider, ProviderStatus } from '../api/wire-provider';
import type { SessionView } from '../api/wire-login';
import { END_READABLE_MS } from '../state/outcome';
import { plain } from '../state/plain';
import { redact } from '../state/redact';
import { dayTime, t } from '../text';
import { w } from '../text/install';
import { language } from '../text/words';
import styles from '../styles/install.css?inline';
import { useRoom } from './context';
import { Command, CopyButton } from './copy';
import { Output } from './output';
import { Mark } from './parts';
import { Refusal } from './refusal';
import { adopt } from './sheet';
import { StepBar } from './steps';

adopt(styles);

interface InstallProps {
  provider: Provider;
  status: ProviderStatus | undefined;
}

/** What there is to do about the program, or null where there is nothing. */
export function Install({ provider, status }: InstallProps) {
  const room = useRoom();
  const { id } = provider;
  const slot = room.manage.installs.slot(id);
  const view = slot.login.value?.view ?? null;
  const now = room.now() + room.clockOffset.value;
  // How the last one ended is there for who comes back, too.
  useEffect(() => {
    void room.manage.installs.load(id);
  }, [id, room]);
  if (view?.active) return <Running provider={provider} view={view} reached={slot.login.value?.reached ?? 0} />;
  const endedAt = view?.endedAt ?? view?.updatedAt ?? null;
  const recent = view !== null && !slot.afresh.value && endedAt !== null && now - endedAt < END_READABLE_MS;
  const wanted = status?.installed === false || status?.tooOld === true;
  return (
    <div class="stack" data-testid={`install-${id}`}>
      {recent && <Ended provider={provider} view={view} />}
      {wanted && !(recent && view.status === 'completed') && <Offer provider={provider} status={status} told={recent && view.status !== 'completed'} />}
    </div>
  );
}

/** The buttons: the Room's own install where it can, the command to type where it cannot. */
function Offer({ provider, status, told }: InstallProps & { told: boolean }) {
  const room = useRoom();
  const { id, name, install } = provider;
  const slot = room.manage.installs.slot(id);
  const error = slot.error.value;
  const old = status?.tooOld === true;
  const can = install.byRoom && error?.code !== 'not_installable' && room.auth.can('providers.manage');
  return (
    <>
      {!told && (
        <p>
          <Mark tone={old ? 'wait' : 'off'}>{old ? w.tooOld(name, status?.version ?? null) : w.missing(name)}</Mark>
        </p>
      )}
      {error?.code === 'not_installable' ? (
        <p class="note wait" data-testid={`not-installable-${id}`}>
          {w.notInstallable(name)}
        </p>
      ) : (
        error !== null && <Refusal provider={provider} error={error} testid={`install-error-${id}`} />
      )}
      {can && (
        <>
          <InstallButton provider={provider} old={old} primary />
          <p class="hint">{w.byRoom}</p>
          {install.command !== null && (
            <details class="inner" data-testid={`by-hand-${id}`}>
              <summary>{old ? w.updateYourself : w.yourself}</summary>
              <ByHand provider={provider} />
            </details>
          )}
        </>
      )}
      {!can && <ByHand provider={provider} />}
    </>
  );
}

/** Also for a program that works but is older than the one this Room was tested with. */
export function InstallButton({ provider, old, primary = false }: { provider: Provider; old: boolean; primary?: boolean }) {
  const room = useRoom();
  const { id, name, install } = provider;
  const slot = room.manage.installs.slot(id);
  const busy = slot.busy.value === 'starting';
  return (
    <button
      type="button"
      class={primary ? 'button primary wide tall' : 'button'}
      data-testid={`${old ? 'update' : 'get'}-${id}`}
      disabled={busy}
      onClick={() => {
        slot.afresh.value = false;
        void room.manage.installs.start(id);
      }}
    >
      {busy ? w.starting : (old ? w.update : w.install)(name, install.version)}
    </button>
  );
}

function ByHand({ provider }: { provider: Provider }) {
  const { manage } = useRoom();
  const { id, install } = provider;
  const checking = manage.work.value[id] === 'checking';
  return (
    <div class="stack">
      {install.command !== null && (
        <>
          <p class="muted">{w.command}</p>
          <Command command={install.command} testid={`install-command-${id}`} />
        </>
      )}
      <button
        type="button"
        class="button wide"
        data-testid={`check-install-${id}`}
        disabled={manage.work.value[id] !== undefined}
        onClick={() => void manage.probe(id)}
      >
        {checking ? w.checking : w.checkAgain}
      </button>
    </div>
  );
}

/** "Downloaded 40 of 98 MB": the words are the Room's, and shown as they are; the numbers are also drawn. */
const AMOUNT = /(\d+(?:\.\d+)?) of (\d+(?:\.\d+)?)/u;

function Running({ provider, view, reached }: { provider: Provider; view: SessionView; reached: number }) {
  const room = useRoom();
  const { id, name, install } = provider;
  const slot = room.manage.installs.slot(id);
  // A sign-in has a step more, in which a person approves.
  const step = Math.max(0, reached - 1);
  const newest = plain(view.lines.at(-1)?.text ?? '');
  const [, done, all] = (step === 0 ? AMOUNT.exec(newest) : null) ?? [];
  const cancelling = slot.busy.value === 'cancelling' || view.step === 'cancelling';
  const said = useRef(step);
  useEffect(() => {
    const label = w.steps[step];
    if (said.current !== step && label !== undefined) room.say(w.stepSaid(step + 1, label));
    said.current = step;
  }, [step]);
  return (
    <div class="stack installing" data-testid={`installing-${id}`} data-step={view.step}>
      <h3>{w.running(name, install.version)}</h3>
      <StepBar steps={w.steps} reached={step} broken={false} label={w.stepsLabel} />
      {all !== undefined && <progress value={Number(done)} max={Number(all)} aria-label={w.steps[0]} />}
      <p class="hint" data-testid={`progress-${id}`}>
        {done !== undefined && all !== undefined ? w.downloaded(done, all) : newest === '' ? w.starting : newest}
      </p>
      {slot.login.value?.joined && view.startedAt !== null && (
        <p class="hint">
          {w.joined(dayTime(view.startedAt - room.clockOffset.value, room.now()), view.startedBy === null ? null : plain(view.startedBy))}
        </p>
      )}
      {slot.error.value !== null && <Refusal provider={provider} error={slot.error.value} testid={`install-error-${id}`} />}
      <button
        type="button"
        class="quiet bad cancel"
        data-testid={`cancel-install-${id}`}
        disabled={cancelling}
        onClick={() => void room.manage.installs.cancel(id)}
      >
        {cancelling ? w.cancelling : w.cancel}
      </button>
    </div>
  );
}

function Ended({ provider, view }: { provider: Provider; view: SessionView }) {
  const room = useRoom();
  const { id, name } = provider;
  const version = room.manage.statuses.value[id]?.version ?? null;
  const code = view.status === 'canceled' ? 'canceled' : (view.failure?.code ?? (view.status === 'timeout' ? 'timeout' : 'unrecognised'));
  const good = view.status === 'completed';
  const words = w.failures[code]?.(name) ?? w.failures['unrecognised']?.(name);
  const title = good
    ? version === null
      ? w.done(name)
      : w.doneVersion(name, plain(version))
    : code === 'canceled'
      ? w.canceled
      : plain((language.value === 'en' ? view.failure?.title : null) || (words?.title ?? code));
  const first = useRef(true);
  useEffect(() => {
    // Only who saw it run is told; who comes back later can read it.
    if (!first.current || (room.now() + room.clockOffset.value - (view.endedAt ?? 0)) < 5_000) room.say(title);
    first.current = false;
  }, [title]);
  if (good || code === 'canceled') {
    return (
      <p class={`note ${good ? 'good' : ''}`} data-testid={`install-ended-${id}`} data-status={view.status}>
        <Mark tone={good ? 'good' : 'off'}>{title}</Mark>
      </p>
    );
  }
  return (
    <div class="note bad" data-testid={`install-ended-${id}`} data-status={view.status} data-code={code}>
      <Mark tone="bad">{title}</Mark>
      <p>{plain(words?.next || view.failure?.action || '')}</p>
      <p class="hint">{t.common.code(code)}</p>
      <CopyButton text={() => details(provider, view, code, room.build)} class="button" testid={`install-details-${id}`}>
        {w.copyDetails}
      </CopyButton>
      <Output view={view} openAtFirst={false} />
    </div>
  );
}

/** For a report: less what is nobody's business. */
function details(provider: Provider, view: SessionView, code: string, build: string): string {
  return redact(
    [
      `${provider.name} install: ${code}`,
      view.failure === null ? '' : `${view.failure.title} ${view.failure.action}`,
      `status ${view.status}, step ${view.step}, exit ${view.exitCode ?? '-'}`,
      `version ${provider.install.version ?? '-'}, page ${build}`,
      ...view.lines.slice(-40).map((line) => line.text),
    ].join('\n'),
  );
}
