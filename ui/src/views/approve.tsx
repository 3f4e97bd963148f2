// The person's part: a code to type or a page to open, and the same on a phone.

import { useEffect, useState } from 'preact/hooks';
import type { SessionView } from '../api/wire-login';
import { clockFace, SHORT_SECONDS } from '../state/countdown';
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
    room.say(worked ? w.login.codeCopied : copyWords.failed);
  };
  useEffect(() => setCopied(false), [clean]);
  return (
    <section class="card" aria-labelledby="your-code">
      <h2 id="your-code">{w.login.yourCode}</h2>
      <CodeButton label={w.login.copyCode} code={clean} testid="device-code" onClick={async () => tell(await copyText(clean))} />
      <p class="under">
        {copied ? w.login.codeCopied : w.login.tapToCopy} <TimeLeft left={left} />
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
            {w.login.copyAndOpen(url.host)}
            <span class="sr"> ({t.common.opensNewTab})</span>
          </a>
          <div class="pair">
            <CopyButton text={url.href} done={w.login.linkCopied} testid="copy-link">
              {w.login.copyLink}
            </CopyButton>
            <button type="button" class="button only-narrow" aria-expanded={qr} data-testid="show-qr" onClick={() => setQr(!qr)}>
              {qr ? w.login.hideQr : w.login.showQr}
            </button>
          </div>
          {qr && (
            <div class="only-narrow">
              <QrCode address={url.href} label={w.login.qrAlt(url.host + url.pathname)} />
            </div>
          )}
          <p class="hint">{w.login.phishing(url.host)}</p>
        </>
      ) : (
        <NoTrustedLink view={view} />
      )}
    </section>
  );
}

export function LinkCard({ view, url, left, numbered }: Shown & { numbered: boolean }) {
  return (
    <section class="card" aria-labelledby="sign-in">
      <h2 id="sign-in">{numbered ? w.login.signIn : w.login.steps[1]}</h2>
      {url !== null ? (
        <>
          {numbered && <p class="muted">{w.login.signInText}</p>}
          <a class="button primary wide tall" href={url.href} target="_blank" rel="noopener noreferrer" data-testid="open-link">
            {w.login.open(url.host)}
            <span class="sr"> ({t.common.opensNewTab})</span>
          </a>
          <div class="pair">
            <CopyButton text={url.href} done={w.login.linkCopied} testid="copy-link">
              {w.login.copyLink}
            </CopyButton>
          </div>
        </>
      ) : (
        <NoTrustedLink view={view} />
      )}
      {left !== null && (
        <p class="hint">
          <TimeLeft left={left} whole />
        </p>
      )}
    </section>
  );
}

function NoTrustedLink({ view }: { view: SessionView }) {
  if (view.verificationUrl === null) return <p class="note wait">{w.login.noLink}</p>;
  return (
    <div class="note bad" data-testid="strange-link">
      <Mark tone="bad">{w.login.strangeLink}</Mark>
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
      {whole ? w.login.timeLeft(face) : w.login.expires(face)}
    </span>
  );
}

/** The side card of a wide screen. */
export function PhoneCard({ url, code }: { url: URL; code: string | null }) {
  return (
    <aside class="card side" aria-labelledby="on-phone">
      <h2 id="on-phone">{w.login.onPhone}</h2>
      <QrCode address={url.href} label={w.login.qrAlt(url.host + url.pathname)} />
      <p class="muted">{code === null ? w.login.scanLink : w.login.scanCode}</p>
      {code !== null && <p class="mono again">{code}</p>}
    </aside>
  );
}
