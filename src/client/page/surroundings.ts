import type { OpenChannel } from './channel.ts';
import { openBroadcastChannel } from './channel.ts';
import type { Locks } from './election.ts';

/** What a page client needs from its page. Tests inject their own. */
export interface Surroundings {
  /** Absent outside of secure contexts (HTTPS, localhost), and in browsers without Web Locks. */
  readonly locks?: Locks;
  readonly openChannel: OpenChannel;
  isHidden(): boolean;
  /**
   * Calls `changed` when the page is shown or hidden; `left` when it goes away or freezes; `back` when it returns from
   * the cache of the browser or is no longer frozen, possibly twice. A page that Chromium has frozen still responds to
   * other tabs, but its sockets and timers do not run. Returns a function to stop.
   */
  watch(changed: () => void, left: () => void, back: () => void): () => void;
  /** Runs before the next repaint, or at once in a page that is not painted. */
  nextFrame(run: () => void): void;
  /** A short text, different for different inputs. */
  digest(text: string): Promise<string>;
}

export function pageSurroundings(): Surroundings {
  const locks = globalThis.navigator?.locks as unknown as Locks | undefined;
  const page = globalThis.document as Document | undefined;
  return {
    locks: globalThis.isSecureContext ? locks : undefined,
    openChannel: openBroadcastChannel,
    isHidden: () => page?.visibilityState === 'hidden',
    watch(changed, left, back) {
      const returned = (event: PageTransitionEvent): void => {
        if (event.persisted) back();
      };
      const events = [
        [page, 'visibilitychange', changed],
        [page, 'freeze', left],
        [page, 'resume', back],
        [globalThis, 'pagehide', left],
        [globalThis, 'pageshow', returned as EventListener],
      ] as const;
      for (const [target, name, listener] of events) target?.addEventListener?.(name, listener);
      return () => {
        for (const [target, name, listener] of events) target?.removeEventListener?.(name, listener);
      };
    },
    nextFrame(run) {
      if (page && page.visibilityState !== 'hidden') requestAnimationFrame(run);
      else queueMicrotask(run);
    },
    async digest(text) {
      const bytes = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text));
      return [...new Uint8Array(bytes, 0, 12)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
    },
  };
}
