/** What a client reads from. */
interface Line {
  /** The network fails. */
  cut(): void;
  /** The application hangs, and reads nothing. */
  pause(): void;
  resume(): void;
}

/** A client that can be cut off, and can stop reading, by the line that it has at that time. */
export abstract class StalledClient {
  isStalled = false;
  /** The newest one. One that opens while the client is stalled has to ask `isStalled` itself. */
  protected line: Line | undefined;

  cut(): void {
    this.line?.cut();
  }

  pause(): void {
    this.isStalled = true;
    this.line?.pause();
  }

  resume(): void {
    this.isStalled = false;
    this.line?.resume();
  }
}
