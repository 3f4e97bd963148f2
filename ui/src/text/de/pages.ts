// German: the words of the pages that are most to read.

import { activity } from './activity';
import { people } from './people';
import { problems } from './problems';
import { wipe } from './wipe';

export const de = { activity, people, problems, wipe };
