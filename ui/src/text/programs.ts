import { programs as en } from './en/programs';
import { words } from './words';

export const w = words('programs', en);
