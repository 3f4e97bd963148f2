// German: the words of every page and of coming in, loaded before anything is drawn.

import { app } from './app';
import { copy } from './copy';
import { core } from './core';
import { denied } from './denied';
import { enter } from './enter';
import { hosted } from './hosted';
import { more } from './more';
import { notes } from './notes';
import { offline } from './offline';

export const de = { app, copy, core, denied, enter, hosted, more, notes, offline };
