// The connect page of a local Room: this browser is not signed in. What happened, how to get a link, a field for one.

import { useState } from 'preact/hooks';
import { linkCode } from '../state/address';
import type { SignedOutReason } from '../state/auth';
import { span, t } from '../text';
import { w } from '../text/enter';
import { Away } from './away';
import { useRoom } from './context';
import { Command } from './copy';
import { Mark, Page, told } from './parts';
import { TopBar } from './shell';

const CALM: SignedOutReason[] = ['no_code', 'signed_out', 'ended'];

export function Enter() {
  const { auth } = useRoom();
  const why = auth.reason.value;
  const down = why === 'unreachable';
  const words: Partial<Record<SignedOutReason, string>> = w.reasons;
  return (
    <div class="alone">
      <TopBar />
      <Page title={w.title} testid="connect-page">
        <p class="lead" data-testid="connect-reason" data-reason={why}>
          <Mark tone={CALM.includes(why) ? 'off' : 'bad'}>{w.codes[auth.problem.value?.code ?? ''] ?? words[why]}</Mark>
        </p>
        {why === 'page_refused' && <p class="hint">{(auth.problem.value && told(auth.problem.value)) ?? w.openHere('http://localhost:3700')}</p>}
        {auth.retryAfterMs.value !== null && <p class="hint">{w.wait(span(auth.retryAfterMs.value))}</p>}
        {down && <Away />}
        <Local down={down} />
        {(down || why === 'unexpected' || why === 'limited') && (
          <button
            type="button"
            class={down ? 'button primary wide' : 'button wide'}
            data-testid="connect-retry"
            disabled={auth.busy.value}
            onClick={() => void auth.retry()}
          >
            {t.common.tryAgain}
          </button>
        )}
      </Page>
    </div>
  );
}

function Local({ down }: { down: boolean }) {
  return (
    <>
      <section class="card" aria-labelledby="get-link">
        <h2 id="get-link">{down ? w.start : w.getLink}</h2>
        <p class="muted">{down ? w.startText : w.getLinkText}</p>
        <Command command={down ? 'room' : 'room open'} testid="connect-command" />
      </section>
      {!down && <CodeForm />}
    </>
  );
}

function CodeForm() {
  const { auth, say } = useRoom();
  const [text, setText] = useState('');
  const [empty, setEmpty] = useState(false);
  return (
    <form
      class="card"
      onSubmit={async (event) => {
        event.preventDefault();
        const code = linkCode(text);
        setEmpty(code === null);
        if (code === null) return say(w.noCode);
        await auth.enter(code);
        if (auth.phase.peek() === 'signed_out') {
          setText('');
          say((w.reasons as Record<string, string>)[auth.reason.peek()] ?? '');
        }
      }}
    >
      <label for="connect-code">{w.orCode}</label>
      <input
        id="connect-code"
        class="field mono"
        data-testid="connect-code-input"
        type="text"
        autocomplete="off"
        autocapitalize="off"
        spellcheck={false}
        enterkeyhint="go"
        value={text}
        aria-describedby="connect-code-help"
        aria-invalid={empty}
        onInput={(event) => {
          setText(event.currentTarget.value);
          setEmpty(false);
        }}
      />
      <p id="connect-code-help" class={empty ? 'hint bad' : 'hint'}>
        {empty ? w.noCode : w.orCodeHelp}
      </p>
      <button
        type="submit"
        class="button primary wide"
        data-testid="connect-submit"
        disabled={auth.busy.value || text.trim() === ''}
      >
        {auth.busy.value ? w.entering : w.enter}
      </button>
    </form>
  );
}
