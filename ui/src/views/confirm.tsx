// A button that asks once before it does what cannot be taken back.

import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';

interface ConfirmProps {
  /** Of the button, and of the parts of the question. */
  id: string;
  class: string;
  label: ComponentChildren;
  disabled?: boolean;
  title: string;
  no: string;
  yes: string;
  onYes: () => void;
  children: ComponentChildren;
}

export function Confirm({ id, class: kind, label, disabled = false, title, no, yes, onYes, children }: ConfirmProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [asking, setAsking] = useState(false);
  useEffect(() => {
    if (asking) dialog.current?.showModal();
  }, [asking]);
  return (
    <>
      <button type="button" class={kind} data-testid={id} disabled={disabled} onClick={() => setAsking(true)}>
        {label}
      </button>
      {asking && (
        <dialog ref={dialog} class="card" aria-labelledby={`ask-${id}`} data-testid="confirm" onClose={() => setAsking(false)}>
          <h2 id={`ask-${id}`}>{title}</h2>
          {children}
          <div class="apart">
            <button type="button" class="button" data-testid="confirm-no" onClick={() => dialog.current?.close()}>
              {no}
            </button>
            <button
              type="button"
              class="button danger filled"
              data-testid="confirm-yes"
              onClick={() => {
                dialog.current?.close();
                onYes();
              }}
            >
              {yes}
            </button>
          </div>
        </dialog>
      )}
    </>
  );
}
