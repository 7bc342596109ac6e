/**
 * Members of the SDK's own classes and ports, which the build of the package shortens: applications, the gateway and
 * other versions of the SDK never see them. A test keeps names out that one of those knows.
 */
export const internalNames =
  'accepted acking arrivals arrived askAgain askRefused awaitsSnapshot backoff begin byKey ' +
  'byView bytesOf ' +
  'closing complete continued covered drop emit enter expand feed forget forgetQuiet give greeted ' +
  'hasForgotten hears hold holders invalid isAsked isHeard isInbox isLastAttempt isList isOwn isPattern ' +
  'isPayload isRekeying isUnserved isUnsettled mayBeThere mustAskAgain mustRekey note openWebSocket own ' +
  'pages parts place placed plan planFlush recover recoveredAtMs recoveryDelayMs refused rejectAll ' +
  'rejectWaiting rekey rekeyed sentAtMs settle stand suspect take tellMap timer toAsked toLive toNeeded ' +
  'toOff toReconnecting toRekeyed tooLarge unheardAfter unopened viewKeys waitFor waitsUntilMs wasLive ' +
  'wireType woke wouldSkip';

/** For esbuild's `mangleProps`. */
export const internalNamesOnly: RegExp = new RegExp(`^(?:${internalNames.replaceAll(' ', '|')})$`);
