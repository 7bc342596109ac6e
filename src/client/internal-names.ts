/**
 * Members of the SDK's own classes and ports, which the build of the package shortens: applications, the gateway and
 * other versions of the SDK never see them. A test keeps names out that one of those knows.
 */
export const internalNames =
  'errorOf abandon accepted acking acknowledging advance advanced arrivals arrived askAgain ' +
  'asked askLater askRefused attemptFailed awaitsSnapshot backoff begin begins better byKey ' +
  'bytesOf byView closing codec commands complete completes connection continued copies covered ' +
  'dictionaries disconnected drop emit enter expand extras failed feed flush forget forgetQuiet give ' +
  'greeted hasForgotten heard hears hold holders holds inherited inView isAsked isHeard isInbox ' +
  'isLastAttempt isList isOnline isOver isOwn isPattern isPayload isRekeying isSet isUnserved ' +
  'isUnsettled isWhole joins keyed keyOf lacks lastChange mayBeThere mustAskAgain mustRekey note ' +
  'observe openWebSocket own pages parts place placed plan planFlush probe problem receivedAtMs ' +
  'recover recoveredAtMs recoveryDelayMs refuse refused rejectAll rejectWaiting release releases ' +
  'report selection sentAtMs serverMade settle stableAfterMs stand starts subscribing suspect ' +
  'take tellMap timer toAsked toGranted toLive toNeeded toOff tooLarge toReconnecting unheardAfter ' +
  'unopened unplan waitFor waitsUntilMs wants wasLive welcome wireFor wireType wishes ' +
  'withExtras woke written';

/** For esbuild's `mangleProps`. */
export const internalNamesOnly: RegExp = new RegExp(`^(?:${internalNames.replaceAll(' ', '|')})$`);
