// Why the Room did not do what was asked about a provider, and what to do next; one of the reasons is a
// question.

import { useEffect } from 'preact/hooks';
import type { ApiError } from '../api/client';
import type { Provider } from '../api/wire-provider';
import { plain } from '../state/plain';
import { t } from '../text';
import { w } from '../text/ended';
import { useRoom } from './context';
import { errorWords, Mark, told } from './parts';
import { Link, loginPath } from './router';

/** The way on is a sign-in that is open, here or elsewhere. */
const SHOWS_SESSION = ['login_running', 'sign_in_open'];

interface RefusalProps {
  provider: Provider;
  error: ApiError;
  testid: string;
  retry?: () => void;
}

export function Refusal({ provider, error, testid, retry }: RefusalProps) {
  const { say } = useRoom();
  const { title, next } = errorWords(error);
  useEffect(() => say(plain(title)), [error]);
  const ours = w.refusals[error.code]?.(provider.name) ?? next;
  return (
    <div class="note bad" data-testid={testid} data-code={error.code}>
      <Mark tone="bad">
        <strong>{plain(title)}</strong>
      </Mark>
      {ours !== '' && <p>{plain(ours)}</p>}
      <p class="hint">{t.common.code(plain(error.code))}</p>
      {SHOWS_SESSION.includes(error.code) ? (
        <Link to={loginPath(provider.id)} class="button" data-testid={`${testid}-session`}>
          {w.showSession}
        </Link>
      ) : (
        retry !== undefined && (
          <button type="button" class="button" data-testid={`${testid}-retry`} onClick={retry}>
            {t.common.tryAgain}
          </button>
        )
      )}
    </div>
  );
}

/** Said at the field itself. */
export const AT_EMAIL = ['bad_email', 'email_needed'];

export function StartError({ provider, method }: { provider: Provider; method: string | null }) {
  const { manage } = useRoom();
  const { error, busy } = manage.logins.slot(provider.id);
  if (error.value === null || AT_EMAIL.includes(error.value.code)) return null;
  if (error.value.code !== 'would_sign_out') return <Refusal provider={provider} error={error.value} testid="login-error" />;
  return (
    <div class="note wait" data-testid="would-sign-out">
      <Mark tone="wait">{plain(told(error.value.problem) ?? error.value.code)}</Mark>
      <p>{w.agreeText(provider.name)}</p>
      <button
        type="button"
        class="button danger"
        data-testid="agree"
        disabled={busy.value !== null}
        onClick={() => void manage.logins.start(provider.id, { method, inPlace: true })}
      >
        {w.agree}
      </button>
    </div>
  );
}
