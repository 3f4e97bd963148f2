import { people as en } from './en/people';
import { words } from './words';

export const w = words('people', en);
