// The styles of every page but the first, and what fields need; loaded with whichever of them comes first.

import './field-in-view';
import styles from '../styles/late.css?inline';
import { sheet } from './sheet';

// Before those of a page, which may say more of the same things.
document.adoptedStyleSheets.unshift(sheet(styles));
