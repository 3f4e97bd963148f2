// What copies: a button, and a command to type elsewhere.

import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { plain } from '../state/plain';
import { w } from '../text/copy';
import { copyText } from './clipboard';
import { useRoom } from './context';

interface CopyProps {
  text: string | (() => string);
  children: ComponentChildren;
  done?: string;
  class?: string;
  testid?: string;
}

/** Says on itself that it has copied; the width stays, so that nothing jumps. */
export function CopyButton({ text, children, done = w.copied, class: kind = 'button', testid }: CopyProps) {
  const room = useRoom();
  const [copied, setCopied] = useState<boolean | null>(null);
  useEffect(() => {
    if (copied === null) return undefined;
    const timer = setTimeout(() => setCopied(null), copied ? 2_000 : 6_000);
    return () => clearTimeout(timer);
  }, [copied]);
  return (
    <>
      <button
        type="button"
        class={kind}
        data-testid={testid}
        onClick={async () => {
          const worked = await copyText(typeof text === 'string' ? text : text());
          setCopied(worked);
          room.say(worked ? done : w.failed);
        }}
      >
        {copied === true ? done : children}
      </button>
      {copied === false && <p class="hint bad">{w.failed}</p>}
    </>
  );
}

/** A command to type elsewhere. */
export function Command({ command, testid }: { command: string; testid?: string }) {
  return (
    <div class="command">
      <code data-testid={testid}>{plain(command)}</code>
      <CopyButton text={command} class="button small">
        {w.copy}
        <span class="sr"> {w.command}</span>
      </CopyButton>
    </div>
  );
}
