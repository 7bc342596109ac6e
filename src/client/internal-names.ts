/**
 * Members of the SDK's own classes and ports, which the build of the package shortens: applications, the gateway and
 * other versions of the SDK never see them. A test keeps names out that one of those knows.
 */
export const internalNames =
  'abandon accepted acking acknowledging advance advanced aheadMs arrivals arrived askAgain asked ' +
  'askedAfter askLater askRefused audience awaitsSnapshot backoff beat begin begins better bits byKey ' +
  'byView changeKeys clientChanged clock closedBy closing codec commands complete completes connection ' +
  'continued covered dead dictionaries disconnected drop emit emitter endsAtMs enter errorOf expand extend ' +
  'extras failed feed flush forget forgetQuiet give goOnUnwatched greeted had heard hears hold ' +
  'holders holds home inherited inView isAsked isCalm isEnding isInbox isLagging isLastAttempt isLevel ' +
  'isList isOnline isOptional isOver isOwn isPattern isRekeying isSet isText isUnsettled isWhole joins ' +
  'keyed keyOf lacks lastChange leave loaded lostAtMs many memory mustAskAgain mustRekey newTimer nodes ' +
  'note observe offsetMs oneOf openWebSocket own pages parts place placed plan planFlush planRetry port ' +
  'probe queue received reconcile recover recoveredAtMs refuse refused registry rejectAll rejectWaiting ' +
  'rekey release releaseView reply report resetFeed retries seen selection sendFrame sentAtMs serverMade ' +
  'settle showAll shown silent stage stand standard suspects take tellMap timer toAsked toGranted ' +
  'tokenFailed toLevel toLive toNeeded toOff toReconnecting toRecovering toRekeying toTurn turn unheard ' +
  'unheardAfter unopened waitFor waitsUntilMs wants wasLive welcome wire WireExtras wireFor wireType ' +
  'wishes withExtras woke written';

/** For esbuild's `mangleProps`. */
export const internalNamesOnly: RegExp = new RegExp(`^(?:${internalNames.replaceAll(' ', '|')})$`);
