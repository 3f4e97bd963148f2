// Words that came from the Room's rows: in the reader's language where that is known, and never deceiving.

import { plain } from '../state/plain';
import { w } from '../text/served';

export function served(text: string): string {
  return plain(w[text] ?? text);
}
