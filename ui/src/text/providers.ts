import { providers as en } from './en/providers';
import { words } from './words';

export const w = words('providers', en);
