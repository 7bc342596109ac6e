/** One Server-Sent Event. */
export interface StreamEvent {
  readonly name: string;
  readonly id: string | undefined;
  readonly data: string;
}

/** Reads Server-Sent Events from pieces of text. Skips comments and `retry`. */
export class EventReader {
  #rest = '';
  #name = '';
  #id: string | undefined;
  #data: string[] = [];

  /** The events that this piece completes. */
  *read(piece: string): Iterable<StreamEvent> {
    const lines = (this.#rest + piece).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      const event = line === '' ? this.#take() : this.#field(line);
      if (event) yield event;
    }
  }

  #field(line: string): undefined {
    const [, name, value = ''] = /^(\w*):? ?(.*)$/s.exec(line) ?? [];
    if (name === 'data') this.#data.push(value);
    else if (name === 'event') this.#name = value;
    else if (name === 'id') this.#id = value;
  }

  #take(): StreamEvent | undefined {
    const event = { name: this.#name, id: this.#id, data: this.#data.join('\n') };
    const isEvent = this.#data.length > 0;
    this.#name = '';
    this.#id = undefined;
    this.#data = [];
    return isEvent ? event : undefined;
  }
}
