import type { SessionView } from './session-view.ts';

/**
 * Subscriptions by number of the view. Most sessions have few, for which a list takes less memory than a map
 * (`bench -- memory`).
 */
export type FewViews = readonly SessionView[] | Map<number, SessionView>;

export const noViews: FewViews = [];
const listMax = 8;

export function countOf(views: FewViews): number {
  return isList(views) ? views.length : views.size;
}

export function viewOf(views: FewViews, viewId: number): SessionView | undefined {
  if (!isList(views)) return views.get(viewId);
  for (const sessionView of views) if (sessionView.view.id === viewId) return sessionView;
  return undefined;
}

/** Returns the views with this one; `views` itself may have changed. */
export function withView(views: FewViews, added: SessionView): FewViews {
  if (!isList(views)) return views.set(added.view.id, added);
  if (views.length < listMax) return withOneMore(views, added);
  return new Map([...views, added].map((each) => [each.view.id, each]));
}

/** Returns the views without this one; `views` itself may have changed. */
export function withoutView(views: FewViews, viewId: number): FewViews {
  if (!isList(views)) {
    views.delete(viewId);
    return views;
  }
  const index = views.findIndex(({ view }) => view.id === viewId);
  return index < 0 ? views : views.slice(0, index).concat(views.slice(index + 1));
}

function isList(views: FewViews): views is readonly SessionView[] {
  return Array.isArray(views);
}

/** A list that has no room for more: one that grows by itself has room for 17 from the second on. */
function withOneMore(views: readonly SessionView[], one: SessionView): readonly SessionView[] {
  const more = new Array<SessionView>(views.length + 1);
  for (let i = 0; i < views.length; i++) more[i] = views[i] as SessionView;
  more[views.length] = one;
  return more;
}
