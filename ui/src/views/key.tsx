// A provider's API key: a field that only takes one, and what is known of the one that is kept. The key
// lives in the field alone: it is never stored here, and gone once the Room has it.

import { useEffect, useRef, useState } from 'preact/hooks';
import type { ApiError } from '../api/client';
import type { Provider, StoredKey } from '../api/wire-provider';
import { plain } from '../state/plain';
import { dayTime, since } from '../text';
import { w } from '../text/key';
import { pasteText } from './clipboard';
import { Confirm } from './confirm';
import { useRoom } from './context';
import { Facts, Mark, useNow, type Tone } from './parts';
import { canPaste } from './paste-policy';
import { Refusal } from './refusal';
import styles from '../styles/key.css?inline';
import { served } from './served';
import { adopt } from './sheet';

adopt(styles);

/** So much of what is typed shows that the right key was taken; of less, it would show too much. */
const SHOWS_END_FROM = 16;

function formatsOf(provider: Provider): string | null {
  const formats = provider.keys.flatMap(({ format }) => (format === null ? [] : [plain(format)]));
  return formats.length === 0 ? null : formats.join(w.or);
}

export function KeyForm({ provider, onDone, onLeave }: { provider: Provider; onDone: () => void; onLeave: () => void }) {
  const room = useRoom();
  const { id, name } = provider;
  const [typed, setTyped] = useState('');
  const [saving, setSaving] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const [blocked, setBlocked] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  const key = plain(typed).replace(/\s/gu, '');
  const formats = formatsOf(provider);
  const asking = error?.code === 'would_sign_out';
  const badFormat = error?.code === 'key_format';
  useEffect(() => field.current?.focus({ preventScroll: true }), []);

  const save = async (replace: boolean) => {
    if (key === '' || saving) return;
    setSaving(true);
    setError(null);
    const refused = await room.manage.setKey(id, key, replace);
    setSaving(false);
    setError(refused);
    // Kept for the answer to a question, or for another try if it never got there; else it goes.
    if (refused === null || !(refused.code === 'would_sign_out' || refused.kind === 'unreachable')) setTyped('');
    if (refused === null) onDone();
    else {
      if (refused.code === 'key_format') room.say(w.badFormat(name, formats));
      field.current?.focus();
    }
  };
  const leave = () => {
    setTyped('');
    onLeave();
  };

  return (
    <form
      class="key-form stack"
      data-testid={`key-form-${id}`}
      autocomplete="off"
      onSubmit={(event) => {
        event.preventDefault();
        void save(false);
      }}
    >
      <label for={`key-${id}`}>{w.label(name)}</label>
      <div class="with-button">
        <input
          ref={field}
          id={`key-${id}`}
          class="field mono secret"
          data-testid={`key-input-${id}`}
          // Not a password field: a browser would offer to keep it.
          type="text"
          autocomplete="off"
          autocapitalize="off"
          autocorrect="off"
          spellcheck={false}
          enterkeyhint="done"
          data-1p-ignore
          data-lpignore="true"
          value={typed}
          disabled={saving || asking}
          aria-invalid={badFormat}
          aria-describedby={`key-help-${id}`}
          onInput={(event) => {
            setTyped(event.currentTarget.value);
            setBlocked(false);
          }}
        />
        {canPaste && (
          <button
            type="button"
            class="button"
            data-testid={`key-paste-${id}`}
            disabled={saving || asking}
            onClick={async () => {
              const found = await pasteText();
              setBlocked(found === null);
              if (found !== null) setTyped(found.replace(/\s/gu, ''));
              field.current?.focus();
            }}
          >
            {w.paste}
          </button>
        )}
      </div>
      <div id={`key-help-${id}`} class="stack">
        {badFormat && (
          <p class="hint bad" data-testid="key-error" data-code="key_format">
            {w.badFormat(name, formats)}
          </p>
        )}
        {blocked ? (
          <p class="hint wait">{w.pasteBlocked}</p>
        ) : key.length >= SHOWS_END_FROM ? (
          <p class="hint">{w.endsIn(key.slice(-4))}</p>
        ) : (
          <p class="hint">
            {formats !== null && !badFormat && <span class="block">{w.looksLike(formats)}</span>}
            {w.once}
          </p>
        )}
      </div>
      {asking ? (
        <div class="note wait" data-testid="key-replace">
          <Mark tone="wait">{w.replaceAsk(name)}</Mark>
          <p>{w.replaceText}</p>
          <div class="apart">
            <button type="button" class="button" data-testid="key-replace-no" onClick={leave}>
              {w.replaceNo}
            </button>
            <button type="button" class="button danger" data-testid="key-replace-yes" onClick={() => void save(true)}>
              {w.replaceYes}
            </button>
          </div>
        </div>
      ) : (
        <>
          {error !== null && !badFormat && <Refusal provider={provider} error={error} testid="key-error" />}
          <div class="apart">
            <button type="button" class="button" data-testid="key-leave" disabled={saving} onClick={leave}>
              {w.cancel}
            </button>
            <button type="submit" class="button primary" data-testid={`key-save-${id}`} disabled={saving || key === ''}>
              {saving ? w.saving : w.save}
            </button>
          </div>
        </>
      )}
    </form>
  );
}

/** The key that the Room has: its end, where it is kept, whether it works. */
export function KeyPart({ provider, stored }: { provider: Provider; stored: StoredKey }) {
  const room = useRoom();
  const now = useNow(true, 15_000);
  const [replacing, setReplacing] = useState(false);
  const { id, name } = provider;
  const { manage } = room;
  const work = manage.work.value[id];
  const offset = room.clockOffset.value;
  const what = served(provider.keys.find((kind) => kind.id === stored.kind)?.label ?? w.titles[stored.kind ?? ''] ?? w.title);
  const may = room.auth.can('providers.manage');
  return (
    <section class="key stack" aria-labelledby={`key-title-${id}`} data-testid={`key-${id}`} data-storage={stored.storage}>
      <h3 id={`key-title-${id}`}>
        {what} <span class="end">{w.shown(plain(stored.last4))}</span>
      </h3>
      <Facts
        rows={[
          [w.kept, storageWords(name, stored.storage)],
          [w.since, stored.storedAt === null ? null : dayTime(stored.storedAt - offset, now)],
          [w.tested, <Tested stored={stored} at={now + offset} />],
        ]}
      />
      {stored.storage === 'memory' && !stored.injected && <p class="hint">{w.memoryWhy}</p>}
      {stored.injected && (
        <p class="hint" data-testid={`key-injected-${id}`}>
          {w.injected}
        </p>
      )}
      {may && replacing && <KeyForm provider={provider} onDone={() => setReplacing(false)} onLeave={() => setReplacing(false)} />}
      {may && !replacing && (
        <div class="buttons">
          <button
            type="button"
            class="button"
            data-testid={`key-test-${id}`}
            disabled={work !== undefined}
            onClick={() => void manage.check(id)}
          >
            {work === 'checking' ? w.testing : w.test}
          </button>
          {!stored.injected && (
            <>
              <button type="button" class="button" data-testid={`key-change-${id}`} onClick={() => setReplacing(true)}>
                {w.replace}
              </button>
              <Confirm
                id={`key-remove-${id}`}
                class="button danger"
                label={work === 'removing_key' ? w.removing : w.remove}
                disabled={work !== undefined}
                title={w.removeTitle(plain(stored.last4))}
                no={w.removeKeep}
                yes={w.remove}
                onYes={() => void manage.removeKey(id)}
              >
                <p>{w.removeText(name)}</p>
              </Confirm>
            </>
          )}
        </div>
      )}
    </section>
  );
}

function Tested({ stored, at }: { stored: StoredKey; at: number }) {
  if (stored.checkedAt === null) return <span class="muted">{w.untested}</span>;
  const [tone, word]: [Tone, string] =
    stored.valid === null ? ['wait', w.unclear] : stored.valid ? ['good', w.works] : ['bad', w.refused];
  return (
    <>
      {since(stored.checkedAt, at)} <Mark tone={tone}>{word}</Mark>
    </>
  );
}

export function storageWords(name: string, storage: string | null): string | null {
  if (storage === 'sealed' || storage === 'memory') return w.storages[storage];
  return storage === 'program' ? w.storages.program(name) : storage;
}
