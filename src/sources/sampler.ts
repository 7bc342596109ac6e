import { availableParallelism, loadavg, networkInterfaces, uptime } from 'node:os';
import { currentLoad, fsSize, fsStats, mem, networkStats, type Systeminformation } from 'systeminformation';

export const monitoringTypes = ['cpu', 'memory', 'load', 'disk', 'network'] as const;
export type MonitoringType = (typeof monitoringTypes)[number];

export interface Sample {
  /** Compared with the thresholds: percent, for the network bytes per second. */
  readonly value: number;
  readonly unit: '%' | 'bytes/s';
  readonly details: Readonly<Record<string, unknown>>;
}

/** Samples a machine. Each function is called again only after its last call has settled. */
export type Sampler = Readonly<Record<MonitoringType, () => Promise<Sample>>>;

const rounded = (value: number, digits = 1) => Number(value.toFixed(digits));
const percent = (part: number, whole: number) => (whole > 0 ? rounded((100 * part) / whole) : 0);
/** systeminformation returns null for rates at the first call. */
const rate = (value: number | null) => rounded(Math.max(0, value ?? 0), 0);

async function cpu(): Promise<Sample> {
  const load = await currentLoad();
  return {
    value: rounded(load.currentLoad),
    unit: '%',
    details: {
      user: rounded(load.currentLoadUser),
      system: rounded(load.currentLoadSystem),
      cores: load.cpus.map((core) => rounded(core.load)),
    },
  };
}

/** `available` is what the kernel could give to programs: caches don't count as used. */
async function memory(): Promise<Sample> {
  const { total, available, swaptotal, swapused } = await mem();
  return {
    value: percent(total - available, total),
    unit: '%',
    details: {
      total_bytes: total,
      used_bytes: total - available,
      available_bytes: available,
      swap_total_bytes: swaptotal,
      swap_used_bytes: swapused,
    },
  };
}

/** The value is the load of one minute in percent of the cores. */
async function load(): Promise<Sample> {
  const [one, five, fifteen] = loadavg() as [number, number, number];
  const cores = availableParallelism();
  return {
    value: percent(one, cores),
    unit: '%',
    details: {
      load1: rounded(one, 2),
      load5: rounded(five, 2),
      load15: rounded(fifteen, 2),
      cores,
      uptime_seconds: rounded(uptime(), 0),
    },
  };
}

type FileSystem = Systeminformation.FsSizeData;

/** Asking for sizes starts `df`, and they change slowly: the interval between two calls. */
const sizesMaxAgeMs = 10_000;

function diskSampler(): () => Promise<Sample> {
  let sizes: readonly FileSystem[] = [];
  let sizedAtMs = Number.NEGATIVE_INFINITY;
  return async () => {
    if (performance.now() - sizedAtMs >= sizesMaxAgeMs) {
      // Read-only images (snap, squashfs) are always full.
      sizes = (await fsSize()).filter(({ size, rw }) => size > 0 && rw);
      sizedAtMs = performance.now();
    }
    const io: Systeminformation.FsStatsData | null = await fsStats();
    return {
      value: Math.max(0, ...sizes.map(({ use }) => rounded(use))),
      unit: '%',
      details: {
        filesystems: sizes.map(({ mount, size, used, use }) => ({
          mount,
          total_bytes: size,
          used_bytes: used,
          used_percent: rounded(use),
        })),
        read_bytes_per_second: rate(io?.rx_sec ?? null),
        written_bytes_per_second: rate(io?.wx_sec ?? null),
      },
    };
  };
}

/** Container hosts have an interface per container, and sampling one starts a process. */
const interfacesMax = 8;

/** By name: for "the default interface" systeminformation would block the event loop on `ip route`. */
function interfaceNames(): string {
  return Object.entries(networkInterfaces())
    .filter(([, addresses]) => addresses?.some(({ internal }) => !internal))
    .map(([name]) => name)
    .slice(0, interfacesMax)
    .join(',');
}

async function network(): Promise<Sample> {
  const names = interfaceNames();
  const interfaces = names === '' ? [] : await networkStats(names);
  const rates = interfaces.map((each) => ({
    name: each.iface,
    received_bytes_per_second: rate(each.rx_sec),
    sent_bytes_per_second: rate(each.tx_sec),
    received_bytes: each.rx_bytes,
    sent_bytes: each.tx_bytes,
    errors: each.rx_errors + each.tx_errors,
    dropped: each.rx_dropped + each.tx_dropped,
  }));
  const received = rates.reduce((sum, each) => sum + each.received_bytes_per_second, 0);
  const sent = rates.reduce((sum, each) => sum + each.sent_bytes_per_second, 0);
  return {
    value: received + sent,
    unit: 'bytes/s',
    details: { received_bytes_per_second: received, sent_bytes_per_second: sent, interfaces: rates },
  };
}

/** This machine. CPU and rates are averages since the previous sample. */
export function machineSampler(): Sampler {
  return { cpu, memory, load, disk: diskSampler(), network };
}
