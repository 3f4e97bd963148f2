// German: the words of signing in to providers.

import { answer } from './answer';
import { ended } from './ended';
import { install } from './install';
import { key } from './key';
import { login } from './login';
import { output } from './output';
import { overview } from './overview';
import { programs } from './programs';
import { providers } from './providers';
import { served } from './served';
import { setup } from './setup';

export const de = { answer, ended, install, key, login, output, overview, programs, providers, served, setup };
