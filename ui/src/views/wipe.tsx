// The danger zone of a hosted Room's settings. Wiping signs this very browser out, and the pages behind
// it go; so the question and the proof stand in a dialog of their own, beside the page and not in it.

import { render } from 'preact';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { COUNTED, type Wiped } from '../api/wipe';
import { plain } from '../state/plain';
import { confirms, createWipe } from '../state/wipe';
import { formatNumber } from '../text';
import { w } from '../text/wipe';
import styles from '../styles/wipe.css?inline';
import { useRoom } from './context';
import { CopyButton } from './copy';
import { ErrorNote, Facts, Mark } from './parts';
import { adopt } from './sheet';

adopt(styles);

export function WipeCard() {
  const { auth } = useRoom();
  const id = auth.bootstrap.value?.instanceId ?? null;
  if (!auth.can('instance.wipe') || !auth.cloud() || id === null) return null;
  return (
    <section class="card" aria-labelledby="settings-danger">
      <h2 id="settings-danger">{w.title}</h2>
      <p class="muted">{w.text}</p>
      <button type="button" class="button danger" data-testid="wipe" onClick={() => ask(id)}>
        {w.open}
      </button>
    </section>
  );
}

function ask(instanceId: string): void {
  const { status, auth, providers } = useRoom();
  const name = plain(status.peek()?.name ?? auth.bootstrap.peek()?.name ?? '').trim();
  // Their names are gone with the sign-in.
  const names = new Map((providers.table.peek() ?? []).map((row) => [row.id, row.name]));
  const host = document.body.appendChild(document.createElement('div'));
  const gone = () => {
    render(null, host);
    host.remove();
  };
  render(<WipeDialog instanceId={instanceId} name={name === '' ? null : name} names={names} gone={gone} />, host);
}

interface DialogProps {
  instanceId: string;
  name: string | null;
  /** Of the providers, by id. */
  names: ReadonlyMap<string, string>;
  gone: () => void;
}

function WipeDialog({ instanceId, name, names, gone }: DialogProps) {
  const { client, auth } = useRoom();
  const dialog = useRef<HTMLDialogElement>(null);
  const state = useMemo(() => createWipe(client, instanceId), [client, instanceId]);
  const [typed, setTyped] = useState('');
  const step = state.step.value;
  const busy = step.at === 'busy';
  const signedIn = auth.phase.value === 'signed_in';
  useEffect(() => dialog.current?.showModal(), []);
  useEffect(() => {
    // The page behind learns that its sign-in is over, if nothing has told it yet.
    if (step.at === 'ended' || (step.at === 'failed' && step.unknown)) void auth.refresh();
  }, [step, auth]);
  const title = step.at === 'ended' ? (step.proof.ok ? w.done : w.left) : busy ? w.busy : w.ask;
  return (
    <dialog
      ref={dialog}
      class="card wipe"
      aria-labelledby="ask-wipe"
      data-testid="wipe-dialog"
      data-at={step.at}
      onCancel={(event) => busy && event.preventDefault()}
      // A browser closes it at the second Escape whatever is said; the proof would have nowhere to stand.
      onClose={() => (state.step.peek().at === 'busy' ? dialog.current?.showModal() : gone())}
    >
      <h2 id="ask-wipe" aria-live="polite">
        {step.at === 'ended' ? <Mark tone={step.proof.ok ? 'good' : 'bad'}>{title}</Mark> : title}
      </h2>
      {busy && <p>{w.busyText}</p>}
      {step.at === 'failed' && (
        <>
          <ErrorNote error={step.error} testid="wipe-error" />
          <p>{step.unknown ? w.unknown : signedIn ? w.refused : w.begun}</p>
        </>
      )}
      {step.at === 'ended' && <Proof proof={step.proof} names={names} />}
      {(step.at === 'asking' || (step.at === 'failed' && signedIn)) && (
        <form
          onSubmit={(event) => {
            event.preventDefault();
            if (confirms(typed, name, instanceId)) void state.run();
          }}
        >
          {step.at === 'asking' && (
            <>
              <p>{w.lost}</p>
              <ul class="losses">
                {w.losses.map((loss) => (
                  <li key={loss}>{loss}</li>
                ))}
              </ul>
              <p class="hint">{w.stays}</p>
            </>
          )}
          <label for="wipe-name">{w.label(name, instanceId)}</label>
          <input
            id="wipe-name"
            class="field"
            data-testid="wipe-name"
            type="text"
            autocomplete="off"
            autocapitalize="off"
            autocorrect="off"
            spellcheck={false}
            enterkeyhint="done"
            value={typed}
            onInput={(event) => setTyped(event.currentTarget.value)}
          />
          <div class="apart">
            <button type="button" class="button" data-testid="wipe-no" onClick={() => dialog.current?.close()}>
              {w.keep}
            </button>
            <button type="submit" class="button danger filled" data-testid="wipe-yes" disabled={!confirms(typed, name, instanceId)}>
              {w.go}
            </button>
          </div>
        </form>
      )}
      {(step.at === 'ended' || (step.at === 'failed' && !signedIn)) && (
        <button type="button" class="button wide" data-testid="wipe-close" onClick={() => dialog.current?.close()}>
          {w.close}
        </button>
      )}
    </dialog>
  );
}

function Proof({ proof, names }: { proof: Wiped; names: ReadonlyMap<string, string> }) {
  return (
    <>
      <ul class="rows" data-testid="wipe-providers">
        {proof.providers.map(({ id, ok, removed, detail }) => (
          <li key={id}>
            <strong>{plain(names.get(id) ?? id)}</strong>
            <Mark tone={ok ? 'good' : 'bad'}>{ok ? w.signedOut : w.stillIn}</Mark>
            {removed.length > 0 && <span class="muted whole">{w.deleted(plain(removed.join(', ')))}</span>}
            {detail !== null && !ok && <span class="whole">{plain(detail)}</span>}
          </li>
        ))}
      </ul>
      <p>{w.counts}</p>
      <Facts rows={COUNTED.map((name) => [w.counted[name], <span key={name} data-testid={`left-${name}`}>{formatNumber(proof.left[name])}</span>])} />
      <CopyButton text={() => JSON.stringify(proof, null, 2)}>{w.copy}</CopyButton>
      <p data-testid="wipe-next">{proof.ok ? w.next : w.nextLeft}</p>
    </>
  );
}
