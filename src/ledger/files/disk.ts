import {
  closeSync,
  fdatasync,
  fstatSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  readSync,
  renameSync,
  writeSync,
} from 'node:fs';

/**
 * The system calls that durability depends on. A seam for fault tests: they pass a disk that fails, tears or
 * counts; there is one real implementation.
 */
export interface Disk {
  open(path: string, flags: 'r' | 'r+' | 'w+'): number;
  read(fd: number, target: Uint8Array, position: number): number;
  /** Writes all of `bytes` at `position`, or throws. */
  write(fd: number, bytes: Uint8Array, position: number): void;
  truncate(fd: number, length: number): void;
  /** Bytes in the file. */
  size(fd: number): number;
  /** `fdatasync(2)` off the main thread. */
  sync(fd: number, done: (error: Error | null) => void): void;
  /** Makes the entries of a directory durable. */
  syncDirectory(path: string): void;
  rename(from: string, to: string): void;
  close(fd: number): void;
}

export const systemDisk: Disk = {
  open: (path, flags) => openSync(path, flags, 0o640),
  read: (fd, target, position) => readSync(fd, target, 0, target.length, position),
  write(fd, bytes, position) {
    // A short write is not an error to the kernel; the rest follows, and fails if it must.
    for (let done = 0; done < bytes.length; ) {
      done += writeSync(fd, bytes, done, bytes.length - done, position + done);
    }
  },
  truncate: ftruncateSync,
  size: (fd) => fstatSync(fd).size,
  sync: fdatasync,
  syncDirectory(path) {
    const fd = openSync(path, 'r');
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  },
  rename: renameSync,
  close: closeSync,
};

/** `disk.sync` as a promise. */
export function synced(disk: Disk, fd: number): Promise<void> {
  return new Promise((resolve, reject) => {
    disk.sync(fd, (error) => (error === null ? resolve() : reject(error)));
  });
}
