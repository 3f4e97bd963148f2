// Why a sign-in could not be started; one of the reasons is a question.

import type { Provider } from '../api/wire-provider';
import { plain } from '../state/plain';
import { w } from '../text/ended';
import { useRoom } from './context';
import { ErrorNote, Mark } from './parts';

export function StartError({ provider, method }: { provider: Provider; method: string | null }) {
  const room = useRoom();
  const { error, busy } = room.manage.logins.slot(provider.id);
  if (error.value === null) return null;
  if (error.value.code !== 'would_sign_out') return <ErrorNote error={error.value} testid="login-error" />;
  return (
    <div class="note wait" data-testid="would-sign-out">
      <Mark tone="wait">{plain(error.value.message)}</Mark>
      <p>{w.agreeText(provider.name)}</p>
      <button
        type="button"
        class="button danger"
        data-testid="agree"
        disabled={busy.value !== null}
        onClick={() => void room.manage.logins.start(provider.id, { method, inPlace: true })}
      >
        {w.agree}
      </button>
    </div>
  );
}
