// The field for the code that a sign-in page gives. What is typed lives in this component alone: it
// is never stored, never shown again, and empty once sent.

import { useEffect, useRef, useState } from 'preact/hooks';
import type { ApiError } from '../api/client';
import type { Provider } from '../api/wire';
import type { SessionView } from '../api/wire-login';
import { doubt, pasted } from '../state/paste';
import { plain } from '../state/plain';
import { w } from '../text/login';
import { pasteText } from './clipboard';
import { useRoom } from './context';
import { errorWords } from './parts';

/** A policy that forbids it makes a button that can only fail. Only Chromium tells. */
const canPaste = (document as PolicyDocument).featurePolicy?.allowsFeature('clipboard-read') !== false;

type PolicyDocument = Document & { featurePolicy?: { allowsFeature(name: string): boolean } };

export function PasteCard({ provider, view, kind }: { provider: Provider; view: SessionView; kind: string }) {
  const room = useRoom();
  const [text, setText] = useState('');
  const [sending, setSending] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const [blocked, setBlocked] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => {
    setText('');
    setError(null);
  }, [view.sessionId]);

  const busy = sending || view.step === 'storing' || view.step === 'verifying';
  const closed = busy || !view.awaitingInput;
  const odd = doubt(text, kind);
  const address = kind === 'pasted_url';
  const hint = view.inputHint === null ? null : plain(view.inputHint);

  const submit = async () => {
    const sent = pasted(text, kind);
    if (sent === '' || closed) return;
    setSending(true);
    setError(null);
    setText('');
    const refused = await room.logins.input(provider.id, sent);
    setSending(false);
    setError(refused);
    if (refused !== null) {
      room.say(errorWords(refused).title);
      field.current?.focus();
    }
  };

  return (
    <form
      class="card"
      data-testid="paste-card"
      onSubmit={(event) => {
        event.preventDefault();
        void submit();
      }}
    >
      <h2>{address ? w.login.pasteAddressTitle : w.login.pasteTitle}</h2>
      <label for="paste">{address ? w.login.pasteAddressLabel : w.login.pasteLabel}</label>
      <div class="with-button">
        <input
          ref={field}
          id="paste"
          class="field mono"
          data-testid="paste-input"
          type="text"
          autocomplete="one-time-code"
          autocapitalize="off"
          autocorrect="off"
          spellcheck={false}
          enterkeyhint="go"
          value={text}
          disabled={closed}
          aria-invalid={error !== null}
          aria-describedby="paste-help"
          onInput={(event) => {
            setText(event.currentTarget.value);
            setBlocked(false);
          }}
        />
        {canPaste && (
          <button
            type="button"
            class="button"
            data-testid="paste-button"
            disabled={closed}
            onClick={async () => {
              const found = await pasteText();
              setBlocked(found === null);
              if (found !== null) setText(found.replace(/\s/gu, ''));
              field.current?.focus();
            }}
          >
            {w.login.pasteButton}
          </button>
        )}
      </div>
      <div id="paste-help" class="stack">
        {hint !== null && error === null && view.awaitingInput && (
          <p class="hint bad" data-testid="paste-hint">
            {w.login.asksAgain(hint)}
          </p>
        )}
        {error !== null && (
          <p class="hint bad" data-testid="paste-error" data-code={error.code}>
            {plain(errorWords(error).title)} {w.login.pasteAgain}
          </p>
        )}
        {odd !== null && (
          <p class="hint wait" data-testid="paste-warning">
            {w.login.doubts[odd]}
          </p>
        )}
        <p class="hint">
          {blocked
            ? w.login.pasteBlocked
            : busy
              ? w.login.finishing
              : view.awaitingInput
                ? w.login.pasteHelp
                : w.login.notAsked(provider.name)}
        </p>
      </div>
      <button
        type="submit"
        class="button primary wide tall"
        data-testid="paste-submit"
        disabled={closed || pasted(text, kind) === ''}
      >
        {busy ? w.login.finishing : w.login.finish}
      </button>
    </form>
  );
}
