/** UTF-8 bytes of a text. */
export function encodeUtf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** The text that the bytes spell in UTF-8, byte order mark included, or undefined if they do not spell one. */
export function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}

/**
 * A size or index in ASCII decimal without leading zeroes, or undefined. Larger than 2^53 − 1, it is undefined too: see
 * `MAX_SIZE`.
 */
export function parseDecimal(text: string): number | undefined {
  if (text.length > 16 || !/^(0|[1-9][0-9]*)$/.test(text)) return undefined;
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : undefined;
}

/** Lines of a text that ends in a newline, without their newlines, or undefined if the last line has none. */
export function splitLines(text: string): string[] | undefined {
  return text.endsWith('\n') ? text.slice(0, -1).split('\n') : undefined;
}
