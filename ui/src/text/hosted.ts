import { hosted as en } from './en/hosted';
import { words } from './words';

export const w = words('hosted', en);
