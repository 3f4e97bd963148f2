// The signed-out page of a hosted Room: what happened, and every way in that this Room has.

import { useState } from 'preact/hooks';
import type { Question, SignedOutReason } from '../state/auth';
import { launchUrl } from '../state/launch';
import { plain } from '../state/plain';
import { span, t } from '../text';
import { w } from '../text/hosted';
import { Away } from './away';
import { useRoom } from './context';
import { Command } from './copy';
import { Mark, Page } from './parts';
import { remember } from './router';
import { TopBar } from './shell';
import { isStandalone } from './standalone';

const CALM: SignedOutReason[] = ['no_code', 'signed_out', 'ended'];
/** Trying again is what helps. */
const PASSING: SignedOutReason[] = ['unreachable', 'unexpected', 'limited', 'no_keys'];

export function Hosted() {
  const { auth } = useRoom();
  const question = auth.question.value;
  return (
    <div class="alone">
      <TopBar />
      {auth.phase.value === 'asking' && question !== null ? <Ask key="ask" question={question} /> : <SignedOut key="out" />}
    </div>
  );
}

function SignedOut() {
  const { auth } = useRoom();
  const why = auth.reason.value;
  const ways = auth.bootstrap.value?.auth ?? [];
  const { controlPlaneUrl = null, instanceId = null } = auth.bootstrap.value ?? {};
  const launch = ways.includes('token') ? launchUrl(controlPlaneUrl, instanceId, location.pathname) : null;
  const host = launch === null ? '' : new URL(launch).host;
  const passing = PASSING.includes(why);
  const cloudflare = ways.includes('cloudflare');
  const next = w.next[why];
  // An installed app on a phone shares no sign-in with the browser, and a control plane opens in the browser.
  const pairFirst = isStandalone() && !auth.apart() && auth.bootstrap.value !== null && CALM.includes(why);
  return (
    <Page title={pairFirst ? w.pairThis : w.title} testid="connect-page">
      <div class="lead" data-testid="connect-reason" data-reason={why}>
        <p>
          <Mark tone={CALM.includes(why) ? 'off' : 'bad'}>{w.codes[auth.problem.value?.code ?? ''] ?? w.reasons[why]}</Mark>
        </p>
        {next !== undefined && <p class="hint">{next}</p>}
        {why === 'unreachable' && <Away />}
        {auth.retryAfterMs.value !== null && <p class="hint">{w.wait(span(auth.retryAfterMs.value))}</p>}
      </div>
      {passing && (
        <button
          type="button"
          class="button primary wide tall gap"
          data-testid="connect-retry"
          disabled={auth.busy.value}
          onClick={() => void auth.retry()}
        >
          {t.common.tryAgain}
        </button>
      )}
      {pairFirst && <PairForm main />}
      {launch !== null && (
        <section class="card">
          <a
            class={passing || pairFirst ? 'button wide tall' : 'button primary wide tall'}
            href={launch}
            rel="noreferrer"
            data-testid="launch"
            onClick={remember}
          >
            {w.launch(host)}
          </a>
          <p class="hint under">{w.launchText}</p>
        </section>
      )}
      {cloudflare && (
        <button
          type="button"
          class={passing || pairFirst || launch !== null ? 'button wide tall gap' : 'button primary wide tall gap'}
          data-testid="cloudflare"
          disabled={auth.busy.value}
          onClick={() => void auth.cloudflare()}
        >
          {w.cloudflare}
        </button>
      )}
      {/* A code sets a cookie of the Room's own origin, which a page elsewhere has no use for. */}
      {!pairFirst && !auth.apart() && auth.bootstrap.value !== null && <PairForm main={!passing && launch === null && !cloudflare} />}
      {launch === null && !cloudflare && auth.bootstrap.value !== null && (
        <section class="card" aria-labelledby="machine">
          <h2 id="machine">{w.machineTitle}</h2>
          <p class="muted">{w.machineText}</p>
          <Command command="room pair" testid="pair-command" />
        </section>
      )}
    </Page>
  );
}

function PairForm({ main }: { main: boolean }) {
  const { auth, say } = useRoom();
  const [text, setText] = useState('');
  const [odd, setOdd] = useState(false);
  return (
    <form
      class="card"
      data-testid="pair-form"
      onSubmit={async (event) => {
        event.preventDefault();
        const taken = await auth.pair(text);
        setOdd(!taken);
        if (!taken) say(w.pairOdd);
        else if (auth.phase.peek() === 'signed_out') {
          setText('');
          say(w.codes[auth.problem.peek()?.code ?? ''] ?? w.reasons[auth.reason.peek()]);
        }
      }}
    >
      <h2>{w.pairTitle}</h2>
      <p class="muted">{w.pairText}</p>
      <label for="pair-code">{w.pairLabel}</label>
      <input
        id="pair-code"
        class="field mono upper"
        data-testid="pair-code-input"
        type="text"
        autocomplete="one-time-code"
        autocapitalize="characters"
        autocorrect="off"
        spellcheck={false}
        enterkeyhint="go"
        value={text}
        aria-describedby="pair-code-help"
        aria-invalid={odd}
        onInput={(event) => {
          setText(event.currentTarget.value);
          setOdd(false);
        }}
      />
      <p id="pair-code-help" class={odd ? 'hint bad' : 'hint'}>
        {odd ? w.pairOdd : w.pairHelp}
      </p>
      <button
        type="submit"
        class={main ? 'button primary wide' : 'button wide'}
        data-testid="pair-submit"
        disabled={auth.busy.value || text.trim() === ''}
      >
        {auth.busy.value ? w.pairing : w.pair}
      </button>
    </form>
  );
}

/** Someone else's link or code came to a browser that is signed in. */
function Ask({ question }: { question: Question }) {
  const { auth } = useRoom();
  const now = question.current.name === null ? null : plain(question.current.name);
  const next = question.next === null ? null : plain(question.next);
  return (
    <Page title={w.ask.title} testid="ask-replace">
      <p>{w.ask.now(now ?? w.ask.someone)}</p>
      <p class="lead">{question.arrival.kind === 'pair' ? w.ask.pair : w.ask.token(next)}</p>
      <p class="hint">{w.ask.trust}</p>
      <div class="stack">
        <button
          type="button"
          class="button wide tall"
          data-testid="ask-stay"
          disabled={auth.busy.value}
          onClick={() => void auth.answer(false)}
        >
          {w.ask.stay(now)}
        </button>
        <button
          type="button"
          class="button primary wide tall"
          data-testid="ask-replace-yes"
          disabled={auth.busy.value}
          onClick={() => void auth.answer(true)}
        >
          {w.ask.replace(next)}
        </button>
      </div>
    </Page>
  );
}
