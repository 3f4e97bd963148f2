// What the program printed, as text. It follows the newest line only while the reader is at the end.

import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { SessionView } from '../api/wire-login';
import { plain } from '../state/plain';
import { w } from '../text/output';
import styles from '../styles/output.css?inline';
import { CopyButton } from './copy';
import { Icon } from './parts';
import { adopt } from './sheet';

adopt(styles);

/** So near to the end counts as at the end, in pixels. */
const NEAR = 24;

export function Output({ view, openAtFirst }: { view: SessionView; openAtFirst: boolean }) {
  const [open, setOpen] = useState(false);
  const [atEnd, setAtEnd] = useState(true);
  const box = useRef<HTMLDivElement>(null);
  const { lines, currentLine } = view;
  const wanted = openAtFirst && lines.length > 0;
  useEffect(() => {
    if (wanted) setOpen(true);
  }, [wanted, view.sessionId]);
  useLayoutEffect(() => {
    if (open && atEnd && box.current !== null) box.current.scrollTop = box.current.scrollHeight;
  }, [lines, currentLine, open]);

  const toEnd = () => {
    if (box.current !== null) box.current.scrollTop = box.current.scrollHeight;
  };
  return (
    <details class="card fold" open={open} onToggle={(event) => setOpen(event.currentTarget.open)} data-testid="output">
      <summary data-testid="log-toggle">
        <Icon name="chevron" />
        {w.title} <span class="count">{w.lines(lines.length)}</span>
      </summary>
      {open && (
        <>
          {/* Focusable, so that the keyboard can scroll it; silent, because a log is not read line by line. */}
          <div
            ref={box}
            class="log"
            role="log"
            aria-live="off"
            aria-label={w.title}
            // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- it scrolls
            tabIndex={0}
            data-testid="log"
            onScroll={(event) => {
              const { scrollTop, scrollHeight, clientHeight } = event.currentTarget;
              setAtEnd(scrollHeight - scrollTop - clientHeight < NEAR);
            }}
          >
            {view.droppedLines > 0 && <p class="hint">{w.dropped(view.droppedLines)}</p>}
            {lines.length === 0 && currentLine === null && <p class="hint">{w.none}</p>}
            {lines.map((line) => (
              <div key={line.id} class={line.stream === 'room' ? 'line remark' : 'line'}>
                {plain(line.text)}
              </div>
            ))}
            {currentLine !== null && (
              <div class="line" data-testid="current-line">
                {plain(currentLine)}
              </div>
            )}
          </div>
          <div class="buttons">
            <CopyButton text={() => [...lines.map((line) => line.text), ...(currentLine === null ? [] : [currentLine])].join('\n')} class="button small" testid="copy-log">
              {w.copyAll}
            </CopyButton>
            {!atEnd && (
              <button type="button" class="button small" onClick={toEnd} data-testid="newest">
                {w.newest}
              </button>
            )}
          </div>
        </>
      )}
    </details>
  );
}
