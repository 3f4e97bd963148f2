// A code to type, and a picture to scan.

import { useEffect, useState } from 'preact/hooks';
import styles from '../styles/code.css?inline';
import type { QrPath } from './qr';
import { adopt } from './sheet';

adopt(styles);

/** The code itself is the button that copies it; its name is its text, so that it is read out. */
export function CodeButton({ label, code, testid, onClick }: { label: string; code: string; testid: string; onClick: () => void }) {
  return (
    <button type="button" class="code" onClick={onClick}>
      <span class="sr">{label} </span>
      <span data-testid={testid}>{code}</span>
    </button>
  );
}

/** The quiet zone that readers need, in modules. */
const QUIET = 4;

/** Black on white in both themes. */
export function QrCode({ address, label }: { address: string; label: string }) {
  const [code, setCode] = useState<QrPath | null>(null);
  useEffect(() => {
    let wanted = true;
    import('./qr').then(
      (module) => {
        if (wanted) setCode(module.qrPath(address));
      },
      // Without it the link and the code still do.
      () => {},
    );
    return () => {
      wanted = false;
    };
  }, [address]);
  const side = (code?.size ?? 0) + 2 * QUIET;
  return (
    <div class="qr-box">
      {code !== null && (
        <svg
          class="qr"
          viewBox={`${-QUIET} ${-QUIET} ${side} ${side}`}
          shape-rendering="crispEdges"
          role="img"
          aria-label={label}
          data-testid="qr"
        >
          <path d={code.path} fill="#000" />
        </svg>
      )}
    </div>
  );
}
