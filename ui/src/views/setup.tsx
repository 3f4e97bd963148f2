// The best way in to a provider, and the setting at the vendor's that it needs.

import type { Method, Provider } from '../api/wire-provider';
import { httpsUrl } from '../state/address';
import { t } from '../text';
import { w } from '../text/setup';
import { served } from './served';

export function bestWay(provider: Provider): Method | undefined {
  return provider.methods.find((method) => method.primary) ?? provider.methods[0];
}

export function Prerequisite({ text, url, bare = false }: { text: string; url: string | null; bare?: boolean }) {
  const link = httpsUrl(url);
  return (
    <p class="hint" data-testid="prerequisite">
      {!bare && <strong>{w.before}: </strong>}
      {served(text)}{' '}
      {link !== null && (
        <a href={link.href} target="_blank" rel="noopener noreferrer">
          {w.openSetting(link.host)}
          <span class="sr"> ({t.common.opensNewTab})</span>
        </a>
      )}
    </p>
  );
}
