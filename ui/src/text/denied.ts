import { denied as en } from './en/denied';
import { words } from './words';

export const w = words('denied', en);
