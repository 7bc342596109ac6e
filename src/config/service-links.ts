/**
 * What Kubernetes puts into the environment of every pod for each Service of its namespace
 * (https://kubernetes.io/docs/tutorials/services/connect-applications-service/). A Service whose name begins with
 * "sluice" has variables that look like options: `SLUICE_REDIS_SERVICE_HOST`, `SLUICE_REDIS_SERVICE_PORT_HTTP`,
 * `SLUICE_REDIS_PORT=tcp://10.0.0.1:6379`, `SLUICE_REDIS_PORT_6379_TCP_ADDR`.
 */
const namePattern =
  /^SLUICE_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)$/;

/** A variable `*_PORT` could also be a (misspelt) option: its value decides. */
const portNamePattern = /^SLUICE_(\w+_)?PORT$/;
const portValuePattern = /^(tcp|udp|sctp):\/\/\S+:\d+$/;

/** Whether this variable is the address of a Service, and not an option or a misspelt one. */
export function isServiceLink(name: string, value: string): boolean {
  return namePattern.test(name) || (portNamePattern.test(name) && portValuePattern.test(value));
}
