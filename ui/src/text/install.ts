import { install as en } from './en/install';
import { words } from './words';

export const w = words('install', en);
