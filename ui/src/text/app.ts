import { app as en } from './en/app';
import { words } from './words';

export const w = words('app', en);
