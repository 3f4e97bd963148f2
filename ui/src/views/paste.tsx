// The field for the code that a sign-in page gives. What is half typed outlives the page's other doings; once
// sent it is gone from here, and never shown again.

import { useEffect, useRef, useState } from 'preact/hooks';
import type { ApiError } from '../api/client';
import type { Provider } from '../api/wire-provider';
import type { SessionView } from '../api/wire-login';
import { doubt, pasted } from '../state/paste';
import { plain } from '../state/plain';
import { w } from '../text/login';
import { pasteText } from './clipboard';
import { useRoom } from './context';
import { useDraft } from './draft';
import { errorWords } from './parts';
import { canPaste } from './paste-policy';

export function PasteCard({ provider, view, kind }: { provider: Provider; view: SessionView; kind: string }) {
  const room = useRoom();
  const [text, setText] = useDraft(`paste ${view.sessionId}`);
  const [sending, setSending] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const [blocked, setBlocked] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => setError(null), [view.sessionId]);

  const busy = sending || view.step === 'storing' || view.step === 'verifying';
  const closed = busy || !view.awaitingInput;
  const odd = doubt(text, kind);
  const callback = kind === 'pasted_callback';
  const hint = view.inputHint === null ? null : plain(view.inputHint);

  const submit = async () => {
    const sent = pasted(text, kind);
    if (sent === '' || closed) return;
    setSending(true);
    setError(null);
    setText('');
    const refused = await room.manage.logins.input(provider.id, sent);
    setSending(false);
    setError(refused);
    if (refused !== null) {
      // It never got there: nobody should have to fetch it twice.
      if (refused.kind === 'unreachable') setText(text);
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
      <h2>{callback ? w.callbackTitle : w.pasteTitle}</h2>
      {callback && (
        <ol class="how">
          {w.callbackSteps.map((step) => (
            <li key={step}>{step}</li>
          ))}
        </ol>
      )}
      <label for="paste">{callback ? w.callbackLabel : w.pasteLabel}</label>
      <div class="with-button">
        <input
          ref={field}
          id="paste"
          class="field mono"
          data-testid="paste-input"
          type="text"
          autocomplete={callback ? 'off' : 'one-time-code'}
          inputmode={callback ? 'url' : 'text'}
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
            setError(null);
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
            {w.pasteButton}
          </button>
        )}
      </div>
      <div id="paste-help" class="stack">
        {hint !== null && error === null && view.awaitingInput && (
          <p class="hint bad" data-testid="paste-hint">
            {w.asksAgain(hint)}
          </p>
        )}
        {error !== null && (
          <p class="hint bad" data-testid="paste-error" data-code={error.code}>
            {plain(errorWords(error).title)} {w.refusals[error.code] ?? w.pasteAgain}
          </p>
        )}
        {odd !== null && (
          <p class="hint wait" data-testid="paste-warning">
            {w.doubts[odd]}
          </p>
        )}
        <p class="hint">
          {blocked
            ? w.pasteBlocked
            : busy
              ? w.finishing
              : view.awaitingInput
                ? w.pasteHelp
                : w.notAsked(provider.name)}
        </p>
      </div>
      <button
        type="submit"
        class="button primary wide tall"
        data-testid="paste-submit"
        disabled={closed || pasted(text, kind) === ''}
      >
        {busy ? w.finishing : w.finish}
      </button>
    </form>
  );
}
