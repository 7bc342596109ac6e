import { serveCalls } from '../support/worker.ts';
import { type AttackName, attacks, type Target } from './attacks.ts';

export interface AttackerCalls extends Readonly<Record<string, (argument: never) => unknown>> {
  readonly attack: (argument: { readonly name: AttackName; readonly target: Target }) => Promise<void>;
}

// Its sockets end with it, in whatever state they are.
process.on('uncaughtException', () => undefined);

serveCalls({
  attack: ({ name, target }: { readonly name: AttackName; readonly target: Target }) =>
    attacks[name].run(target),
} satisfies AttackerCalls);
