import { join } from 'node:path';
import { damageFound } from './check.ts';
import { pageFault } from './check-pages.ts';
import { recordFault } from './check-records.ts';
import { dataName } from './folder-files.ts';
import { Store } from './store.ts';

/** Reads all of the store in the given folder. Exits with 0, or with `damageFound` and the fault on stderr. */
const [, , folder = ''] = process.argv;
// The records first, because their faults name the topics.
const fault = recordFault(new Store(folder, false, true)) ?? pageFault(join(folder, dataName));
if (fault !== undefined) process.stderr.write(fault);
process.exit(fault === undefined ? 0 : damageFound);
