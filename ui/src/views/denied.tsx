// A page that exists, and is not for this person: why, and the way back.

import { t } from '../text';
import { w } from '../text/denied';
import { useRoom } from './context';
import { Page } from './parts';
import { Link } from './router';

export function Denied({ page }: { page: 'activity' | 'login' }) {
  const role = useRoom().auth.verified.value?.role ?? '';
  return (
    <Page title={w.title[page]} testid="denied">
      <p class="lead">
        {w.text[page]} {w.roles[role] !== undefined && w.role(w.roles[role])}
      </p>
      <Link to="/" class="button">
        {t.common.toOverview}
      </Link>
    </Page>
  );
}
