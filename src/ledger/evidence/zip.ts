import { encodeUtf8 } from '../../tlog/text.ts';
import { LedgerError, quoted } from '../errors.ts';

/**
 * ZIP archives (APPNOTE.TXT 6.3) without compression: what an auditor's computer opens without asking, and what
 * can be verified without a decompressor in between. At most 65,535 files and 4 GiB.
 */

const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const END_BYTES = 22;
const LOCAL_BYTES = 30;
const CENTRAL_BYTES = 46;
const STORED = 0;
/** File names are UTF-8. */
const UTF8_FLAG = 0x0800;
/** 1 January 1980: archives of the same evidence are the same bytes. */
const DOS_DATE = 0x0021;
const VERSION = 20;
const MOST_BYTES = 0xffff_ffff;
const MOST_FILES = 0xffff;

/** Where an archive is written to: a file, or memory. */
export interface ZipTarget {
  /** Writes at a position; earlier positions are written again once sizes are known. */
  write(bytes: Uint8Array, position: number): void;
}

/** Writes files one after the other; each may come in pieces of unknown number. */
export class ZipWriter {
  readonly #target: ZipTarget;
  readonly #crc32: (bytes: Uint8Array, value: number) => number;
  readonly #files: { name: Uint8Array; at: number; size: number; crc: number }[] = [];
  #position = 0;

  /** `crc32` continues a checksum: `node:zlib` has one. */
  constructor(target: ZipTarget, crc32: (bytes: Uint8Array, value: number) => number) {
    this.#target = target;
    this.#crc32 = crc32;
  }

  /** Adds a file. @throws {LedgerError} `bundle-invalid` if the archive would be too large */
  async add(name: string, pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>): Promise<void> {
    const file = { name: encodeUtf8(name), at: this.#position, size: 0, crc: 0 };
    this.#put(localHeader(file));
    for await (const piece of pieces) {
      file.crc = this.#crc32(piece, file.crc);
      file.size += piece.length;
      this.#put(piece);
    }
    this.#target.write(localHeader(file), file.at);
    this.#files.push(file);
    if (this.#files.length > MOST_FILES) throw tooLarge();
  }

  /** Writes the directory. @returns the size of the archive */
  finish(): number {
    const start = this.#position;
    for (const file of this.#files) this.#put(centralHeader(file));
    const end = new DataView(new ArrayBuffer(END_BYTES));
    end.setUint32(0, END, true);
    end.setUint16(8, this.#files.length, true);
    end.setUint16(10, this.#files.length, true);
    end.setUint32(12, this.#position - start, true);
    end.setUint32(16, start, true);
    this.#put(new Uint8Array(end.buffer));
    return this.#position;
  }

  #put(bytes: Uint8Array): void {
    if (this.#position + bytes.length > MOST_BYTES) throw tooLarge();
    this.#target.write(bytes, this.#position);
    this.#position += bytes.length;
  }
}

/**
 * Reads an archive as {@link ZipWriter} writes it: by name, as views into `bytes`. Checksums are not looked at, because
 * everything in evidence is checked by stronger means.
 * @throws {LedgerError} `bundle-invalid`
 */
export function readZip(bytes: Uint8Array): ReadonlyMap<string, Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const end = bytes.length - END_BYTES;
  if (end < 0 || view.getUint32(end, true) !== END)
    throw invalid('file is not a zip archive, or is cut short');
  const count = view.getUint16(end + 10, true);
  const directoryBytes = view.getUint32(end + 12, true);
  let at = view.getUint32(end + 16, true);
  if (at + directoryBytes !== end) throw invalid('directory of the archive is not where it should be');
  const files = new Map<string, Uint8Array>();
  // A file starts where the one before ended: no byte is outside a file, and none is in two.
  let next = 0;
  for (let i = 0; i < count; i++) {
    if (at + CENTRAL_BYTES > end || view.getUint32(at, true) !== CENTRAL)
      throw invalid('directory is damaged');
    const method = view.getUint16(at + 10, true);
    const size = view.getUint32(at + 24, true);
    const nameBytes = view.getUint16(at + 28, true);
    const trailing = view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
    const start = view.getUint32(at + 42, true);
    const name = nameAt(bytes, at + CENTRAL_BYTES, nameBytes);
    if (method !== STORED || size !== view.getUint32(at + 20, true))
      throw invalid(`${quoted(name)} is compressed`);
    if (start !== next || start + LOCAL_BYTES > end || view.getUint32(start, true) !== LOCAL) {
      throw invalid(`${quoted(name)} does not start where it should`);
    }
    if (nameAt(bytes, start + LOCAL_BYTES, view.getUint16(start + 26, true)) !== name) {
      throw invalid(`${quoted(name)} has two names`);
    }
    const data = start + LOCAL_BYTES + view.getUint16(start + 26, true) + view.getUint16(start + 28, true);
    next = data + size;
    if (next > end) throw invalid(`${quoted(name)} is cut short`);
    if (files.has(name)) throw invalid(`${quoted(name)} is there twice`);
    files.set(name, bytes.subarray(data, next));
    at += CENTRAL_BYTES + nameBytes + trailing;
  }
  if (at !== end) throw invalid('directory has more than it says');
  return files;
}

interface ZipFile {
  readonly name: Uint8Array;
  readonly at: number;
  readonly size: number;
  readonly crc: number;
}

function localHeader({ name, size, crc }: ZipFile): Uint8Array {
  const header = new Uint8Array(LOCAL_BYTES + name.length);
  const view = new DataView(header.buffer);
  view.setUint32(0, LOCAL, true);
  view.setUint16(4, VERSION, true);
  view.setUint16(6, UTF8_FLAG, true);
  view.setUint16(12, DOS_DATE, true);
  view.setUint32(14, crc, true);
  view.setUint32(18, size, true);
  view.setUint32(22, size, true);
  view.setUint16(26, name.length, true);
  header.set(name, LOCAL_BYTES);
  return header;
}

function centralHeader({ name, at, size, crc }: ZipFile): Uint8Array {
  const header = new Uint8Array(CENTRAL_BYTES + name.length);
  const view = new DataView(header.buffer);
  view.setUint32(0, CENTRAL, true);
  view.setUint16(4, VERSION, true);
  view.setUint16(6, VERSION, true);
  view.setUint16(8, UTF8_FLAG, true);
  view.setUint16(14, DOS_DATE, true);
  view.setUint32(16, crc, true);
  view.setUint32(20, size, true);
  view.setUint32(24, size, true);
  view.setUint16(28, name.length, true);
  view.setUint32(42, at, true);
  header.set(name, CENTRAL_BYTES);
  return header;
}

function nameAt(bytes: Uint8Array, at: number, length: number): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(at, at + length));
  } catch {
    throw invalid('a file name is not UTF-8');
  }
}

function tooLarge(): LedgerError {
  return new LedgerError('bundle-invalid', 'evidence is larger than 4 GiB', 'export it in several parts');
}

function invalid(message: string): LedgerError {
  return new LedgerError('bundle-invalid', message, 'ask for the evidence file again');
}
