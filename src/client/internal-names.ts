/**
 * Members of the SDK's own classes and ports, which the build of the package shortens: applications, the gateway and
 * other versions of the SDK never see them. A test keeps names out that one of those knows.
 */
export const internalNames =
  'abandon accepted acking arrivals arrived askAgain askRefused attemptFailed awaitsSnapshot backoff ' +
  'begin better byKey byView bytesOf closing codec commands complete connection continued covered ' +
  'disconnected drop emit enter expand failed feed flush forget forgetQuiet give greeted ' +
  'hasForgotten heard hears hold holders holds invalid isAsked isHeard isInbox isLastAttempt isList ' +
  'isOver isOwn isPattern isPayload isRekeying isUnserved isUnsettled joins lastChange mayBeThere ' +
  'mustAskAgain mustRekey note observe openWebSocket own pages parts place placed plan planFlush ' +
  'probe problem receivedAtMs recover recoveredAtMs recoveryDelayMs refuse refused rejectAll ' +
  'rejectWaiting rekey rekeyed report sentAtMs serverMade settle showAll stableAfterMs stand starts ' +
  'suspect take tellMap timer toAsked toLive toNeeded toOff toReconnecting toRekeyed tooLarge ' +
  'unheardAfter unopened viewKeys waitFor waitsUntilMs wants wasLive wireType woke wouldSkip written';

/** For esbuild's `mangleProps`. */
export const internalNamesOnly: RegExp = new RegExp(`^(?:${internalNames.replaceAll(' ', '|')})$`);
