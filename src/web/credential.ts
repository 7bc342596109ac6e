const storageKey = 'sluice.credential';

/**
 * The token or API key of the page: the fragment of its address, which no log contains, or what the visitor has typed.
 * Kept while the tab is open.
 */
export class Credential {
  #value: string | undefined;

  constructor() {
    this.#value = new URLSearchParams(location.hash.slice(1)).get('token') || read();
  }

  get value(): string | undefined {
    return this.#value;
  }

  set(text: string): void {
    this.#value = text.trim() || undefined;
    write(this.#value);
  }
}

/** Undefined if there is none, or if the browser forbids storage. */
function read(): string | undefined {
  try {
    return sessionStorage.getItem(storageKey) || undefined;
  } catch {
    return undefined;
  }
}

function write(value: string | undefined): void {
  try {
    if (value === undefined) sessionStorage.removeItem(storageKey);
    else sessionStorage.setItem(storageKey, value);
  } catch {
    // Without storage the credential lasts until the page is reloaded.
  }
}
