import { bytes, bytesPerSecond, percent, plain, type Quantity } from './format.ts';
import { isRecord, type MonitoringType, numberIn, type Reading } from './reading.ts';

/** How one monitoring type is shown. The first of its lines is emphasized. */
export interface PanelSpec {
  readonly title: string;
  readonly lines: readonly {
    readonly label: string;
    readonly read: (reading: Reading) => number | undefined;
  }[];
  /** Formats the values of the axis and the cursor. */
  readonly format: (value: number) => Quantity;
  readonly headline: (reading: Reading) => Quantity;
  readonly detail: (reading: Reading) => string;
  /** The axis reaches at least up to this value. */
  readonly top: (reading: Reading | undefined) => number;
}

const detailOf = (name: string) => (reading: Reading) => numberIn(reading.details, name);
const joined = (...parts: readonly (string | false | undefined)[]) => parts.filter(Boolean).join(' · ');

export const panels: Readonly<Record<MonitoringType, PanelSpec>> = {
  cpu: {
    title: 'CPU',
    lines: [{ label: 'busy', read: ({ value }) => value }],
    format: percent,
    headline: ({ value }) => percent(value),
    detail: (reading) => {
      const user = numberIn(reading.details, 'user');
      const system = numberIn(reading.details, 'system');
      const { cores } = reading.details;
      return joined(
        user !== undefined && `user ${plain(percent(user))}`,
        system !== undefined && `system ${plain(percent(system))}`,
        Array.isArray(cores) && `${cores.length} cores`,
      );
    },
    top: () => 100,
  },
  memory: {
    title: 'Memory',
    lines: [{ label: 'used', read: ({ value }) => value }],
    format: percent,
    headline: ({ value }) => percent(value),
    detail: (reading) => {
      const used = numberIn(reading.details, 'used_bytes');
      const total = numberIn(reading.details, 'total_bytes');
      const swap = numberIn(reading.details, 'swap_used_bytes');
      return joined(
        used !== undefined && total !== undefined && `${plain(bytes(used))} of ${plain(bytes(total))}`,
        swap !== undefined && swap > 0 && `swap ${plain(bytes(swap))}`,
      );
    },
    top: () => 100,
  },
  load: {
    title: 'Load',
    lines: [
      { label: '1 min', read: (reading) => numberIn(reading.details, 'load1') ?? reading.value / 100 },
      { label: '5 min', read: detailOf('load5') },
    ],
    format: (value) => ({ value: value.toFixed(2), unit: '' }),
    headline: (reading) => {
      const load = numberIn(reading.details, 'load1');
      return load === undefined ? percent(reading.value) : { value: load.toFixed(2), unit: '' };
    },
    detail: (reading) => {
      const cores = numberIn(reading.details, 'cores');
      return cores === undefined ? '' : `${plain(percent(reading.value))} of ${cores} cores`;
    },
    top: (reading) => (reading && numberIn(reading.details, 'cores')) || 1,
  },
  disk: {
    title: 'Disk',
    lines: [
      { label: 'read', read: detailOf('read_bytes_per_second') },
      { label: 'written', read: detailOf('written_bytes_per_second') },
    ],
    format: bytesPerSecond,
    headline: ({ value }) => percent(value),
    detail: ({ details }) => fullest(details['filesystems']),
    top: () => 100_000,
  },
  network: {
    title: 'Network',
    lines: [
      {
        label: 'received',
        read: (reading) => detailOf('received_bytes_per_second')(reading) ?? reading.value,
      },
      { label: 'sent', read: detailOf('sent_bytes_per_second') },
    ],
    format: bytesPerSecond,
    headline: ({ value }) => bytesPerSecond(value),
    detail: ({ details }) => {
      const received = numberIn(details, 'received_bytes_per_second');
      const sent = numberIn(details, 'sent_bytes_per_second');
      return joined(
        received !== undefined && `in ${plain(bytesPerSecond(received))}`,
        sent !== undefined && `out ${plain(bytesPerSecond(sent))}`,
      );
    },
    top: () => 10_000,
  },
};

/** The file system that the disk's percentage is about. */
function fullest(filesystems: unknown): string {
  const all = Array.isArray(filesystems) ? filesystems.filter(isRecord) : [];
  const most = [...all].sort(
    (a, b) => (numberIn(b, 'used_percent') ?? 0) - (numberIn(a, 'used_percent') ?? 0),
  )[0];
  const used = most && numberIn(most, 'used_bytes');
  const total = most && numberIn(most, 'total_bytes');
  if (used === undefined || total === undefined) return '';
  return `${plain(bytes(used))} of ${plain(bytes(total))} on ${String(most?.['mount'] ?? '')}`;
}
