import { login as en } from './en/login';
import { words } from './words';

export const w = words('login', en);
