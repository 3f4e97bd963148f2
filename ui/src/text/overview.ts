import { overview as en } from './en/overview';
import { words } from './words';

export const w = words('overview', en);
