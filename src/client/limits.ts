/** How long the SDK waits, and how much it keeps. In a file without imports, because only of those bundlers inline. */

/** After an error a socket closes at once, unless the page's Content-Security-Policy forbids it in Chromium. */
export const closesWithinMs = 1_000;

/** After a connection that lived this long, the backoff starts from its first delay. */
export const stableAfterMs = 5_000;

/** An attempt that is younger than this goes on when the network changes; if it fails, the next begins at once. */
export const staleAttemptMs = 1_000;

/** How long a ping may take after the network may have changed. */
export const probeTimeoutMs = 2_000;

/** Between two looks at the clocks. */
export const beatMs = 1_000;
/** A timer that is this late was not merely busy: the machine slept, or the page was frozen. */
export const gapMs = 2_000;

/** The gateway remembers messageIds for 5 minutes. One minute is left for delays on the way. */
export const resendMaxAgeMs = 240_000;

/** If more frames or publications wait for code or for a loop, there is no end to it. */
export const waitingMax = 10_000;

/** Half of the gateway's limit for a list in a command. */
export const entriesPerCommand = 500;

/** The gateway's limit for the keys of a subscription. */
export const keysMax = 1000;

/** Of a text that has no limit of its own, in characters. */
export const textMaxLength = 1024;

/** Far above the gateway's own limit: it ends the walk through a filter that contains itself. */
export const filterMaxNodes = 1000;

/** Of `connect`; the ids of `PendingCommands` are larger. */
export const handshakeId = 1;
