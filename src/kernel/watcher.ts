import type { FSWatcher } from 'node:fs';
import { watch as watchFiles } from 'node:fs';
import { basename, dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Fingerprint } from './fingerprint.ts';
import { fingerprintOf } from './fingerprint.ts';

/** Files that are not as they were. */
export interface Change {
  readonly lawChanged: boolean;
  /** Whether they are still as they were when the change was seen. */
  isStill(): Promise<boolean>;
}

export interface Listener {
  /** Takes up a change; false when it has to be looked at again. What it throws is reported, and left at that. */
  changed(change: Change): Promise<boolean>;
  /** Told after each regular look. */
  looked(): void;
  failed(error: Error): void;
}

export interface Pace {
  readonly everySeconds?: number;
  readonly settleMs?: number;
}

const EVERY_SECONDS = 60;
const SETTLE_MS = 100;

/**
 * Follows a law and a manifest on disk. The file system tells of changes where it can; whether there is one, content
 * alone says. It is looked at from time to time in any case: some file systems announce nothing, a directory that is
 * put in the place of another is not followed.
 */
export class Watcher {
  readonly #law: string;
  readonly #manifest: string;
  readonly #everyMs: number;
  readonly #settleMs: number;
  #listener: Listener | undefined;
  #watchers: readonly FSWatcher[] = [];
  #timer: NodeJS.Timeout | undefined;
  /** What was last taken up, or tried. */
  #seen: Fingerprint | undefined;
  /** The law that was last taken up. */
  #taken = '';
  #again = false;
  #running: Promise<void> | undefined;
  #closed = false;

  constructor(law: string, manifest: string, { everySeconds, settleMs }: Pace) {
    this.#law = law;
    this.#manifest = manifest;
    this.#everyMs = (everySeconds ?? EVERY_SECONDS) * 1000;
    this.#settleMs = settleMs ?? SETTLE_MS;
  }

  look(): Promise<Fingerprint> {
    return fingerprintOf(this.#law, this.#manifest);
  }

  /** @param seen what the files were when they were first read. */
  start(seen: Fingerprint, listener: Listener): void {
    this.#seen = seen;
    this.#taken = seen.law;
    this.#listener = listener;
    this.#timer = setInterval(() => {
      listener.looked();
      void this.refresh();
    }, this.#everyMs).unref();
    this.#follow();
    // What changed since they were read was announced to nobody.
    void this.refresh();
  }

  /** Looks at the files, and takes up a change. Never rejects. */
  refresh(): Promise<void> {
    this.#again = true;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  close(): void {
    this.#closed = true;
    clearInterval(this.#timer);
    for (const watcher of this.#watchers) watcher.close();
  }

  async #run(): Promise<void> {
    while (this.#again && !this.#closed) {
      this.#again = false;
      const found = await this.#settled();
      if (isSame(found, this.#seen)) continue;
      await this.#take(found);
    }
  }

  async #take(found: Fingerprint): Promise<void> {
    const isStill = async (): Promise<boolean> => isSame(await this.look(), found);
    try {
      const lawChanged = found.law !== this.#taken;
      if ((await this.#listener?.changed({ lawChanged, isStill })) === true) {
        this.#seen = found;
        this.#taken = found.law;
        this.#follow();
      } else this.#again = true;
    } catch (error) {
      // A mistake that is gone by now was a file half written.
      if (!(await isStill())) {
        this.#again = true;
        return;
      }
      this.#seen = found;
      this.#fail(error);
    }
  }

  /** The files once they have stopped changing; at once where nothing has changed. */
  async #settled(): Promise<Fingerprint> {
    for (let before = await this.look(); ; ) {
      if (isSame(before, this.#seen) || this.#closed) return before;
      await delay(this.#settleMs);
      const after = await this.look();
      if (isSame(before, after)) return after;
      before = after;
    }
  }

  /** Anew after each change: editors and deployments put other files and folders in the place of the old. */
  #follow(): void {
    for (const watcher of this.#watchers) watcher.close();
    if (this.#closed) return;
    const name = basename(this.#manifest);
    this.#watchers = [
      ...this.#open(this.#law, true, () => true),
      ...this.#open(dirname(this.#manifest), false, (file) => file === null || file === name),
    ];
  }

  #open(path: string, recursive: boolean, concerns: (file: string | null) => boolean): readonly FSWatcher[] {
    try {
      const watcher = watchFiles(path, { recursive, persistent: false }, (_event, file) => {
        if (concerns(file)) void this.refresh();
      });
      watcher.on('error', (error) => this.#fail(error));
      return [watcher];
    } catch (error) {
      // Too many are watched already, or the folder is just being replaced: regular looks go on.
      this.#fail(error);
      return [];
    }
  }

  #fail(error: unknown): void {
    this.#listener?.failed(error instanceof Error ? error : new Error(String(error)));
  }
}

function isSame(a: Fingerprint, b: Fingerprint | undefined): boolean {
  return a.law === b?.law && a.manifest === b.manifest;
}
