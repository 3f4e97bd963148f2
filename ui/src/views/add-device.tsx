// One more device: a picture to scan or a code to type, its time, and the device as soon as it is in.

import { useEffect, useRef, useState } from 'preact/hooks';
import { clockFace, secondsLeft, SHORT_SECONDS } from '../state/countdown';
import type { Access as State, Pairing } from '../state/access';
import { plain } from '../state/plain';
import { w as copyWords } from '../text/copy';
import { w } from '../text/people';
import { copyText } from './clipboard';
import { CodeButton, QrCode } from './code';
import { pairWanted, useRoom } from './context';
import { CopyButton } from './copy';
import { ErrorNote, Mark, useNow } from './parts';

export function AddDevice({ state }: { state: State }) {
  const pairing = state.pairing.value;
  const starting = state.starting.value;
  const heading = useRef<HTMLHeadingElement>(null);
  const stage = pairing === null ? 'none' : pairing.added === null ? pairing.code : 'added';
  const before = useRef(stage);
  const wanted = pairWanted.value;
  useEffect(() => {
    pairWanted.value = false;
    if (wanted && state.pairing.peek()?.added !== null) void state.pair();
  }, [wanted]);
  // What had the focus is gone with the stage before.
  useEffect(() => {
    if (before.current !== stage) heading.current?.focus({ preventScroll: true });
    before.current = stage;
  }, [stage]);
  return (
    <section class="card add" aria-labelledby="add" data-testid="add-device-card">
      <h2 id="add" ref={heading} tabIndex={-1}>{w.add}</h2>
      {pairing === null ? (
        <>
          <p class="muted">{w.addText}</p>
          <button
            type="button"
            class="button primary wide"
            data-testid="add-device"
            disabled={starting}
            onClick={() => void state.pair()}
          >
            {starting ? w.adding : w.add}
          </button>
        </>
      ) : pairing.added === null ? (
        <Waiting key={pairing.code} state={state} pairing={pairing} />
      ) : (
        <Added state={state} device={plain(pairing.added.device ?? w.unnamed)} />
      )}
      {state.pairError.value !== null && <ErrorNote error={state.pairError.value} testid="pair-error" />}
    </section>
  );
}

function Waiting({ state, pairing }: { state: State; pairing: Pairing }) {
  const room = useRoom();
  const [copied, setCopied] = useState(false);
  const now = useNow(true);
  const left = secondsLeft(pairing.expiresAt, now, room.clockOffset.value);
  const over = left === 0;
  const shown = useRef<HTMLDivElement>(null);
  useEffect(() => shown.current?.closest('.card')?.scrollIntoView({ block: 'start' }), []);
  useEffect(() => {
    if (over) room.say(w.expired);
  }, [over]);
  if (over) {
    return (
      <>
        <p data-testid="pair-expired">
          <Mark tone="wait">{w.expired}</Mark>
        </p>
        <button
          type="button"
          class="button primary wide"
          data-testid="pair-again"
          disabled={state.starting.value}
          onClick={() => void state.pair()}
        >
          {w.newCode}
        </button>
        <button type="button" class="quiet" onClick={() => state.stopPairing()}>
          {w.done}
        </button>
      </>
    );
  }
  return (
    <div ref={shown} class="pairing" data-testid="pairing">
      <div class="stack">
        <p class="muted">{w.type}</p>
        <p class="mono">{new URL(pairing.url).host}</p>
        <CodeButton
          label={w.copyCode}
          code={plain(pairing.code)}
          testid="pair-code"
          onClick={async () => {
            const worked = await copyText(pairing.code);
            setCopied(worked);
            room.say(worked ? w.codeCopied : copyWords.failed);
          }}
        />
        <p class="under">
          {copied && `${w.codeCopied} `}
          {left !== null && (
            <span class={left < SHORT_SECONDS / 4 ? 'time short' : 'time'} data-testid="pair-countdown">
              {w.expires(clockFace(left))}
            </span>
          )}
        </p>
        <p class="hint">{w.warn}</p>
        <div class="pair">
          <CopyButton text={pairing.url} done={w.linkCopied} testid="pair-link">
            {w.copyLink}
          </CopyButton>
          <button type="button" class="button" data-testid="pair-stop" onClick={() => state.stopPairing()}>
            {w.stop}
          </button>
        </div>
      </div>
      <div>
        <p class="muted">{w.orScan}</p>
        <QrCode address={pairing.url} label={w.qrAlt} />
      </div>
    </div>
  );
}

function Added({ state, device }: { state: State; device: string }) {
  const room = useRoom();
  useEffect(() => room.say(w.added(device)), [device]);
  return (
    <div class="stack" data-testid="pair-added">
      <p>
        <Mark tone="good">{w.added(device)}</Mark>
      </p>
      <p class="muted">{w.addedText}</p>
      <div class="buttons">
        <button type="button" class="button" data-testid="pair-done" onClick={() => state.stopPairing()}>
          {w.done}
        </button>
        <button type="button" class="quiet" disabled={state.starting.value} onClick={() => void state.pair()}>
          {w.add}
        </button>
      </div>
    </div>
  );
}
