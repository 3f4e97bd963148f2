// German: the words of the pages that are most to read.

import { activity } from './activity';
import { people } from './people';
import { problems } from './problems';

export const de = { activity, people, problems };
