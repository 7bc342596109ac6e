import { damageFound } from './check.ts';
import { faultOf } from './check-store.ts';
import { Store } from './store.ts';

/** Reads all of the store in the folder that it is given. Exits with `damageFound` and says what is wrong, or with 0. */
const [, , folder = ''] = process.argv;
const fault = faultOf(new Store(folder, false, true));
if (fault !== undefined) process.stderr.write(fault);
process.exit(fault === undefined ? 0 : damageFound);
