/** Standard base64 (RFC 4648 §4). */
export function encodeBase64(bytes: Uint8Array): string {
  let binary = '';
  for (let at = 0; at < bytes.length; at += CHUNK) {
    binary += String.fromCharCode(...bytes.subarray(at, at + CHUNK));
  }
  return btoa(binary);
}

/**
 * Decodes standard base64, or gives undefined. Only the one canonical spelling of the bytes is accepted: with padding,
 * without white space, with zero bits at the end. Otherwise one signed note could be written in many ways.
 */
export function decodeBase64(text: string): Uint8Array | undefined {
  let binary: string;
  try {
    binary = atob(text);
  } catch {
    return undefined;
  }
  return btoa(binary) === text ? Uint8Array.from(binary, (char) => char.charCodeAt(0)) : undefined;
}

/** More arguments than this at once could overflow the stack. */
const CHUNK = 0x2000;
