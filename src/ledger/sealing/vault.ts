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

/** What is known of a wish to be erased before anything is done about it. */
export type ErasureWish = Pick<ErasureRequest, 'id' | 'tenant' | 'reasonCode' | 'actorRole'>;

/** A legal hold: what it covers is kept until it is released. */
export interface LegalHold {
  /** A UUID: it stands in the log. */
  readonly id: string;
  readonly tenant: string;
  /** Without a subject the hold covers the whole tenant. */
  readonly subject?: string;
}

/** A hold as its vault remembers it. */
export interface HoldState {
  readonly id: string;
  readonly tenant: string;
  /**
   * `record`: what one record asked for itself; its id is that of the hold. `unknown`: a person of whom this vault has
   * nothing, because it was restored from a backup.
   */
  readonly covers: 'tenant' | 'subject' | 'record' | 'unknown';
  /** `new`: in force, and not in the log yet. `placed`: in force. A hold that was released never comes back. */
  readonly state: 'new' | 'placed' | 'released';
  /** Whether somebody wishes it to be released. It is once that is in the log. */
  readonly release: boolean;
  /** Canonical bytes of a record that has to be in the log before the next state counts. */
  readonly pending: Uint8Array | undefined;
}

/** Which parts a sweep looks at, and what it was told about the log. */
export interface SweepRange {
  /** Only parts that were written before this time, in milliseconds since 1970. */
  readonly before: number;
  /** Entries of the log. If it had more at an earlier sweep it is an old copy, by which nothing is swept. */
  readonly entries: number;
  /** Minimum index of the log. Each time that it has risen, parts are looked at from the first one again. */
  readonly minimum: number;
  /** Ends the sweep after about so many parts; the next one goes on there. */
  readonly most: number;
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
  /**
   * Deletes parts that no record needs, in the order they came, from where the last sweep ended.
   * @param needed tells which of the records with these ids still need their parts
   * @returns how many parts were deleted
   */
  sweep(
    range: SweepRange,
    needed: (records: readonly string[]) => Promise<ReadonlySet<string>>,
  ): Promise<number>;

  /** Places a hold, which is in force at once; an id that was used before changes nothing. */
  hold(hold: LegalHold): Promise<void>;
  /** Holds that are in force, by id. Whom they cover is not told: it is kept as a keyed hash only. */
  holds(): Promise<readonly HoldState[]>;
  holdState(id: string): Promise<HoldState | undefined>;
  /** Keys of the person whom a hold covers; none if it covers somebody else. */
  holdKeys(id: string): Promise<readonly string[]>;
  /** Wishes a hold to be released. @returns whether it is in force, and nobody wished so before */
  release(holdId: string): Promise<boolean>;
  /** Wishes the hold to be released that a record itself asked for. @returns as {@link release} */
  releaseRecord(record: string): Promise<boolean>;
  /** Moves a hold on, if it still is where it was. What becomes `released` is no longer held. @returns whether it was */
  setHold(
    id: string,
    change: Pick<HoldState, 'state' | 'pending'>,
    was: Pick<HoldState, 'state' | 'pending'>,
  ): Promise<boolean>;
  /**
   * Does again what the log says of a hold, in a vault that was restored from a backup. One on a person covers whoever
   * has one of `keys`. A hold that is known to be released stays so.
   */
  restoreHold(
    hold: Pick<HoldState, 'id' | 'tenant'> & {
      readonly covers: 'tenant' | 'subject' | 'record';
      readonly state: 'placed' | 'released';
      readonly keys: readonly string[];
    },
  ): Promise<void>;

  /** Starts a request, and ties the person's present keys to it. @returns how many parts it is about */
  request(request: ErasureWish & { readonly subject: string }): Promise<number>;
  /**
   * Brings a request back that stands in the log and not here, because the vault was restored from a backup, and ties
   * to it those of the keys that still exist. Nothing happens if it is here.
   */
  restoreRequest(request: ErasureWish & { readonly keys: readonly string[] }): Promise<void>;
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

  /** How far the steps in the log are known to be carried out here: entries before this index. */
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
