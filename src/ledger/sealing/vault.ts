/** A key that seals what is about one person. */
export interface SubjectKey {
  /** Random, base64url of 16 bytes. Says nothing about the person. */
  readonly id: string;
  readonly key: Uint8Array;
}

/**
 * What decides when a part may go. Parts share a key only if they share this, so that nothing about a person has to be
 * kept because something else about them has to.
 */
export interface KeyFate {
  /** Least retention, an ISO 8601 duration. */
  readonly min: string;
  readonly hold: boolean;
}

/** The period that a key is used for: a month, and a fate. As text, by which vaults find it. */
export function keyPeriod(now: number, fate: KeyFate | undefined): string {
  const month = new Date(now).toISOString().slice(0, 7);
  return fate === undefined ? month : `${month} ${fate.min}${fate.hold ? ' held' : ''}`;
}

/** A sealed part on its way into the vault. */
export interface SealedBlob {
  /** SHA-256 of `bytes`, base64url: its address. */
  readonly h: string;
  /** Id of the key it is sealed with. */
  readonly k: string;
  /** Id of the record it belongs to. */
  readonly record: string;
  readonly bytes: Uint8Array;
  /** Until when it must be kept, milliseconds since 1970. */
  readonly keepUntil: number;
  /** Whether it must be kept until its hold is released, whatever `keepUntil` says. */
  readonly hold: boolean;
}

/** What stands in the way of destroying one key. */
export interface KeyState {
  readonly id: string;
  /** Sealed parts under the key. */
  readonly parts: number;
  /** Latest `keepUntil` of its parts. */
  readonly keepUntil: number;
  readonly held: boolean;
}

/** A person's wish to be erased, on its way. */
export interface ErasureRequest {
  readonly id: string;
  readonly tenant: string;
  readonly state: 'requested' | 'deferred' | 'executing' | 'executed';
  /**
   * When the next part of it can be executed; undefined while a hold stands in the way, and of a request that is not
   * in the log yet.
   */
  readonly until: number | undefined;
  /** Canonical bytes of a record that has to be in the log before the state counts. */
  readonly pending: Uint8Array | undefined;
  readonly reasonCode: string | undefined;
  readonly actorRole: string | undefined;
}

/** A legal hold: what it covers is kept until it is released. */
export interface LegalHold {
  readonly id: string;
  readonly tenant: string;
  /** Without a subject the hold covers the whole tenant. */
  readonly subject?: string;
}

/** A hold as its vault remembers it. */
export interface HoldState {
  readonly id: string;
  readonly tenant: string;
  readonly covers: 'tenant' | 'subject';
}

/**
 * Where sealed parts and the keys to them live: apart from the log, with backups of its own that are kept for days,
 * not years. Everything here can be taken away without touching a proof.
 */
export interface Vault {
  /**
   * The keys to seal with now, one for each subject: made on first use, replaced every month, so that a key id is
   * no lasting pseudonym; others for parts of another fate. A key that belongs to an erasure request is not given out
   * again.
   */
  keysFor(
    tenant: string,
    subjects: readonly string[],
    fate?: KeyFate,
  ): Promise<ReadonlyMap<string, SubjectKey>>;
  /** A key by its id; undefined if it was destroyed or never existed. */
  key(id: string): Promise<Uint8Array | undefined>;
  /** Ids of a person's keys that still exist. */
  keysOf(tenant: string, subject: string): Promise<readonly string[]>;

  /** Keeps sealed parts; resolves once they are durable. */
  put(blobs: readonly SealedBlob[]): Promise<void>;
  /** A sealed part by its address, under its key. */
  get(part: Pick<SealedBlob, 'k' | 'h'>): Promise<Uint8Array | undefined>;
  /** Addresses of parts that no record needs: written before `before`, of a record that `known` does not know. */
  sweep(before: number, known: (record: string) => Promise<boolean>): Promise<number>;

  /** Places a hold; the same id again changes nothing. */
  hold(hold: LegalHold): Promise<void>;
  /** Holds that were placed and not released, by id. Whom they cover is not told: it is kept as a keyed hash only. */
  holds(): Promise<readonly HoldState[]>;
  /** @returns whether there was such a hold */
  release(holdId: string): Promise<boolean>;
  /** Releases the hold that a record itself asked for. @returns whether there was one */
  releaseRecord(record: string): Promise<boolean>;

  /** Starts a request, and ties the person's present keys to it. @returns how many parts it is about */
  request(
    request: Pick<ErasureRequest, 'id' | 'tenant' | 'reasonCode' | 'actorRole'> & {
      readonly subject: string;
    },
  ): Promise<number>;
  /**
   * Brings a request back that stands in the log and not here, because the vault was restored from a backup, and ties
   * to it those of the keys that still exist. Nothing happens if it is here.
   */
  restoreRequest(
    request: Pick<ErasureRequest, 'id' | 'tenant' | 'reasonCode' | 'actorRole'> & {
      readonly keys: readonly string[];
    },
  ): Promise<void>;
  requestState(id: string): Promise<ErasureRequest | undefined>;
  /** Requests that are not executed yet. */
  openRequests(): Promise<readonly ErasureRequest[]>;
  /** Keys of a request that still exist, and what keeps them. */
  requestKeys(id: string): Promise<readonly KeyState[]>;
  /** Moves a request on, if it still is where it was. @returns whether it was */
  setRequest(
    id: string,
    change: Pick<ErasureRequest, 'state' | 'until' | 'pending'>,
    was: Pick<ErasureRequest, 'state' | 'pending'>,
  ): Promise<boolean>;

  /** Destroys keys and deletes what they sealed, beyond recovery from this vault. Unknown ids are remembered as destroyed. */
  destroy(keyIds: readonly string[]): Promise<void>;

  /** A keyed hash that only this vault can make: `sha256:` and 64 hexadecimal digits. */
  authenticate(message: string): Promise<string>;

  /** How far the erasures in the log are known to be carried out here: entries before this index. */
  replayed(): Promise<number>;
  setReplayed(index: number): Promise<void>;

  close(): Promise<void>;
}

/** Wraps keys with a key that is kept elsewhere: a file, a KMS, an HSM. One for each tenant and region. */
export interface KeyWrapper {
  /** `context` is bound to the result: unwrapping with another one fails. */
  wrap(key: Uint8Array, context: string): Promise<Uint8Array>;
  unwrap(wrapped: Uint8Array, context: string): Promise<Uint8Array>;
}
