/**
 * Members of the SDK's own classes and ports, which the build of the package shortens: applications, the gateway and
 * other versions of the SDK never see them. A test keeps names out that one of those knows.
 */
export const internalNames =
  'abandon accepted acking arrivals arrived askAgain asked askLater askRefused attemptFailed ' +
  'awaitsSnapshot backoff begin begins better byKey bytesOf byView closing codec ' +
  'commands complete completes connection continued copies covered dictionaries disconnected drop emit ' +
  'enter expand extras failed feed flush forget forgetQuiet give inView greeted hasForgotten heard hears ' +
  'hold holders holds inherited isAsked isHeard isInbox isLastAttempt isList isOnline isOver isOwn ' +
  'isPattern isPayload isRekeying isSet isUnserved isUnsettled joins keyed keyOf lastChange ' +
  'mayBeThere mustAskAgain mustRekey note observe openWebSocket own pages parts place placed ' +
  'plan planFlush probe problem receivedAtMs recover recoveredAtMs recoveryDelayMs refuse ' +
  'refused rejectAll rejectWaiting release releases report sentAtMs serverMade settle showAll ' +
  'stableAfterMs stand starts suspect take tellMap timer toAsked toGranted toLive toNeeded toOff tooLarge ' +
  'toReconnecting unheardAfter unopened unplan waitFor waitsUntilMs wants wasLive wasState wireType wishes ' +
  'woke written';

/** For esbuild's `mangleProps`. */
export const internalNamesOnly: RegExp = new RegExp(`^(?:${internalNames.replaceAll(' ', '|')})$`);
