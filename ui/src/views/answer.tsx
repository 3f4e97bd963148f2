// Typing into a program that asks what the Room does not understand: what it shows, a field, and Enter.
// For the owner alone, because nothing of what is typed is checked.

import { useEffect, useRef, useState } from 'preact/hooks';
import type { ApiError } from '../api/client';
import type { Provider } from '../api/wire-provider';
import type { SessionView } from '../api/wire-login';
import { plain } from '../state/plain';
import { w } from '../text/answer';
import { useRoom } from './context';
import { ErrorNote, Mark } from './parts';

/** As much of the program's screen as stands above the field on a phone. */
const SHOWN_LINES = 12;
/** What the Room takes at once. */
const MAX_LENGTH = 512;

/** The warning is read once, whichever program it was about. */
let warned = false;

export function Answer({ provider, view }: { provider: Provider; view: SessionView }) {
  const room = useRoom();
  const { id, name } = provider;
  const [understood, setUnderstood] = useState(warned);
  const [text, setText] = useState('');
  const [sending, setSending] = useState(false);
  const [sent, setSent] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const field = useRef<HTMLInputElement>(null);
  const may = room.auth.can('instance.manage');
  const screen = view.lines.filter((line) => line.stream !== 'room').slice(-SHOWN_LINES);
  const newest = screen.at(-1)?.id;
  const { currentLine } = view;
  useEffect(() => setSent(false), [newest, currentLine]);

  const send = async (typed: string) => {
    if (sending) return;
    setSending(true);
    setError(null);
    setText('');
    const refused = await room.manage.logins.input(id, typed, true);
    setSending(false);
    setError(refused);
    setSent(refused === null);
    if (refused === null) room.say(w.sent);
    else if (refused.kind === 'unreachable') setText(typed);
    field.current?.focus();
  };

  return (
    <section class="card" aria-labelledby="answer" data-testid="answer">
      <h2 id="answer">{w.title}</h2>
      <p class="muted">{w.text(name)}</p>
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- it scrolls */}
      <div class="screen" tabIndex={0} role="group" aria-label={w.text(name)} data-testid="answer-screen">
        {screen.length === 0 && currentLine === null && <p class="hint">{w.nothing}</p>}
        {screen.map((line) => (
          <div key={line.id} class="line">
            {plain(line.text)}
          </div>
        ))}
        {currentLine !== null && <div class="line">{plain(currentLine)}</div>}
      </div>
      {!may && <p class="hint">{w.ownerOnly}</p>}
      {may && !understood && (
        <div class="note wait" data-testid="answer-warning">
          <Mark tone="wait">{w.warning(name)}</Mark>
          <button
            type="button"
            class="button wide"
            data-testid="answer-understood"
            onClick={() => {
              warned = true;
              setUnderstood(true);
            }}
          >
            {w.understood}
          </button>
        </div>
      )}
      {may && understood && (
        <form
          class="stack"
          autocomplete="off"
          onSubmit={(event) => {
            event.preventDefault();
            void send(text);
          }}
        >
          <label for="answer-field">{w.label}</label>
          <input
            ref={field}
            id="answer-field"
            class="field mono"
            data-testid="answer-input"
            type="text"
            autocomplete="off"
            autocapitalize="off"
            autocorrect="off"
            spellcheck={false}
            enterkeyhint="send"
            maxLength={MAX_LENGTH}
            value={text}
            disabled={sending}
            aria-describedby="answer-help"
            onInput={(event) => setText(event.currentTarget.value)}
          />
          <p class="hint" id="answer-help" data-testid="answer-state">
            {sending ? w.sending : sent ? w.sent : w.help}
          </p>
          {error !== null && (error.code === 'not_stuck' ? <p class="hint">{w.stuck}</p> : <ErrorNote error={error} testid="answer-error" />)}
          <div class="apart">
            <button type="button" class="button" data-testid="answer-enter" disabled={sending} onClick={() => void send('')}>
              {w.enter}
            </button>
            <button type="submit" class="button primary" data-testid="answer-send" disabled={sending || text === ''}>
              {w.send}
            </button>
          </div>
        </form>
      )}
    </section>
  );
}
