// The person's part: a code to type or a page to open, and the same on a phone.

import { useEffect, useState } from 'preact/hooks';
import type { SessionView } from '../api/wire-login';
import { clockFace, SHORT_SECONDS } from '../state/countdown';
import { callbackStart } from '../state/paste';
import { plain } from '../state/plain';
import { t } from '../text';
import { w as copyWords } from '../text/copy';
import { w } from '../text/login';
import { copyNow, copyText } from './clipboard';
import { CodeButton, QrCode } from './code';
import { useRoom } from './context';
import { CopyButton } from './copy';
import { Mark } from './parts';

interface Shown {
  view: SessionView;
  url: URL | null;
  /** Seconds until the sign-in expires. */
  left: number | null;
}

export function CodeCard({ view, code, url, left }: Shown & { code: string }) {
  const room = useRoom();
  const [copied, setCopied] = useState(false);
  const [qr, setQr] = useState(false);
  const clean = plain(code);
  const tell = (worked: boolean) => {
    setCopied(worked);
    room.say(worked ? w.codeCopied : copyWords.failed);
  };
  useEffect(() => setCopied(false), [clean]);
  return (
    <section class="card" aria-labelledby="your-code">
      <h2 id="your-code">{w.yourCode}</h2>
      <CodeButton label={w.copyCode} code={clean} testid="device-code" onClick={async () => tell(await copyText(clean))} />
      <p class="under">
        {copied ? w.codeCopied : w.tapToCopy} <TimeLeft left={left} />
      </p>
      {url !== null ? (
        <>
          <a
            class="button primary wide tall"
            href={url.href}
            target="_blank"
            rel="noopener noreferrer"
            data-testid="copy-and-open"
            onClick={() => tell(copyNow(clean))}
          >
            {w.copyAndOpen(url.host)}
            <span class="sr"> ({t.common.opensNewTab})</span>
          </a>
          <div class="pair">
            <CopyButton text={url.href} done={w.linkCopied} testid="copy-link">
              {w.copyLink}
            </CopyButton>
            <button type="button" class="button only-narrow" aria-expanded={qr} data-testid="show-qr" onClick={() => setQr(!qr)}>
              {qr ? w.hideQr : w.showQr}
            </button>
          </div>
          {qr && (
            <div class="only-narrow">
              <QrCode address={url.href} label={w.qrAlt(url.host + url.pathname)} />
            </div>
          )}
          <p class="hint">{w.phishing(url.host)}</p>
        </>
      ) : (
        <NoTrustedLink view={view} />
      )}
    </section>
  );
}

export function LinkCard({ view, url, left, kind }: Shown & { kind: 'plain' | 'paste' | 'callback' }) {
  const room = useRoom();
  return (
    <section class="card" aria-labelledby="sign-in">
      <h2 id="sign-in">{kind === 'plain' ? w.steps[1] : w.signIn}</h2>
      {url !== null ? (
        <>
          {kind === 'paste' && <p class="muted">{w.signInText}</p>}
          {kind === 'callback' && (
            <p class="muted" data-testid="callback-text">
              {w.callbackText(callbackStart(view.verificationUrl))}
            </p>
          )}
          <a class="button primary wide tall" href={url.href} target="_blank" rel="noopener noreferrer" data-testid="open-link">
            {w.open(url.host)}
            <span class="sr"> ({t.common.opensNewTab})</span>
          </a>
          <div class="pair">
            <CopyButton text={url.href} done={w.linkCopied} testid="copy-link">
              {w.copyLink}
            </CopyButton>
          </div>
        </>
      ) : (
        <NoTrustedLink view={view} />
      )}
      {kind === 'callback' && !room.auth.cloud() && <p class="hint">{w.callbackLocal}</p>}
      {left !== null && (
        <p class="hint">
          <TimeLeft left={left} whole />
        </p>
      )}
    </section>
  );
}

function NoTrustedLink({ view }: { view: SessionView }) {
  if (view.verificationUrl === null) return <p class="note wait">{w.noLink}</p>;
  return (
    <div class="note bad" data-testid="strange-link">
      <Mark tone="bad">{w.strangeLink}</Mark>
      <code class="address">{plain(view.verificationUrl)}</code>
    </div>
  );
}

/** The countdown. Not announced every second: it is outside every live region. */
function TimeLeft({ left, whole = false }: { left: number | null; whole?: boolean }) {
  if (left === null) return null;
  const face = clockFace(left);
  return (
    <span class={left < SHORT_SECONDS ? 'time short' : 'time'} data-testid="countdown" data-seconds={left}>
      {whole ? w.timeLeft(face) : w.expires(face)}
    </span>
  );
}

/** The side card of a wide screen. */
export function PhoneCard({ url, code }: { url: URL; code: string | null }) {
  return (
    <aside class="card side" aria-labelledby="on-phone">
      <h2 id="on-phone">{w.onPhone}</h2>
      <QrCode address={url.href} label={w.qrAlt(url.host + url.pathname)} />
      <p class="muted">{code === null ? w.scanLink : w.scanCode}</p>
      {code !== null && <p class="mono again">{code}</p>}
      {/* A long address makes a code that some cameras cannot read; where the browser can, it sends the link. */}
      {'share' in navigator && (
        <button
          type="button"
          class="button"
          data-testid="send-link"
          onClick={() => {
            // Whoever closes the sheet has changed their mind; the code is still there.
            navigator.share({ url: url.href }).catch(() => null);
          }}
        >
          {w.sendLink}
        </button>
      )}
    </aside>
  );
}
