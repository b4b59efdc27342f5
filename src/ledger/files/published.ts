import { join } from 'node:path';
import { type Disk, synced } from './disk.ts';

/**
 * Replaces a file in one step: readers see the old content or the new one, also after a crash.
 * Whatever the disk throws is thrown.
 */
export async function replaceFile(
  disk: Disk,
  directory: string,
  name: string,
  content: Uint8Array,
): Promise<void> {
  const path = join(directory, name);
  const fd = disk.open(`${path}.new`, 'w+');
  try {
    disk.write(fd, content, 0);
    await synced(disk, fd);
  } finally {
    disk.close(fd);
  }
  disk.rename(`${path}.new`, path);
  disk.syncDirectory(directory);
}
