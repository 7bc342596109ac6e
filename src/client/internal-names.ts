/**
 * Members of the SDK's own classes and ports, which the build of the package shortens: applications, the gateway and
 * other versions of the SDK never see them. A test keeps names out that one of those knows.
 */
export const internalNames =
  'abandon accepted acking acknowledging advance advanced arrivals arrived askAgain asked ' +
  'askedAfter askLater askRefused audience awaitsSnapshot backoff beat begin begins better ' +
  'bits byKey byView clock closing codec commands complete completes connection ' +
  'continued copies covered dead dictionaries disconnected drop emit emitter enter errorOf ' +
  'expand extend extras failed feed flush forget forgetQuiet found give greeted had heard ' +
  'hears hold holders holds inherited inView isAsked isCalm isEnding isHeard isInbox ' +
  'isLastAttempt isList isOnline isOptional isOver isOwn isPattern isRekeying isSet isText ' +
  'isUnsettled joins keyed keyOf lacks lastChange leave loaded lostAtMs ' +
  'memory mustAskAgain mustRekey nodes note observe oneOf openWebSocket own pages parts place ' +
  'placed plan planFlush port probe queue received recoveredAtMs refuse refused ' +
  'registry rejectAll rejectWaiting release releaseView reply report seen selection sendFrame ' +
  'sentAtMs serverMade settle shown silent stage stand suspects take tellMap timer toAsked ' +
  'toGranted tokenFailed toKeys toLevel toLive toNeeded toOff toReconnecting toRecovering toRekeying toTurn ' +
  'toView unheard unheardAfter unopened unplan waitFor waitsUntilMs wants wasLive welcome wire wireFor ' +
  'wireType wishes withExtras woke written';

/** For esbuild's `mangleProps`. */
export const internalNamesOnly: RegExp = new RegExp(`^(?:${internalNames.replaceAll(' ', '|')})$`);
