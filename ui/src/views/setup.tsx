// What a provider needs before a sign-in: its program, and a setting at the vendor's.

import type { Provider } from '../api/wire';
import { httpsUrl } from '../state/address';
import { plain } from '../state/plain';
import { t } from '../text';
import { w } from '../text/setup';
import { useRoom } from './context';
import { Command } from './copy';

export function primaryMethod(provider: Provider): string | null {
  return (provider.methods.find((method) => method.primary) ?? provider.methods[0])?.id ?? null;
}

export function Prerequisite({ text, url, bare = false }: { text: string; url: string | null; bare?: boolean }) {
  const link = httpsUrl(url);
  return (
    <p class="hint" data-testid="prerequisite">
      {!bare && <strong>{w.before}: </strong>}
      {plain(text)}{' '}
      {link !== null && (
        <a href={link.href} target="_blank" rel="noopener noreferrer">
          {w.openSetting(link.host)}
          <span class="sr"> ({t.common.opensNewTab})</span>
        </a>
      )}
    </p>
  );
}

export function Install({ provider }: { provider: Provider }) {
  const { providers } = useRoom();
  const work = providers.work.value[provider.id];
  return (
    <div class="stack" data-testid={`install-${provider.id}`}>
      {provider.installCommand !== null && (
        <>
          <p class="muted">{w.install}</p>
          <Command command={provider.installCommand} testid={`install-command-${provider.id}`} />
        </>
      )}
      <button
        type="button"
        class="button wide"
        data-testid={`check-install-${provider.id}`}
        disabled={work !== undefined}
        onClick={() => void providers.probe(provider.id)}
      >
        {work === 'checking' ? w.checking : w.checkInstall}
      </button>
    </div>
  );
}
