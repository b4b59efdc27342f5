import { decodeUtf8 } from './text.ts';

/**
 * Octets as a text in which every octet can be found again: UTF-8 where it is valid, and any other octet as the lone
 * surrogate U+DC00 plus its value. C2SP tlog-policy wants names kept as octets; this keeps them and stays readable.
 */
export function decodeOctets(octets: Uint8Array): string {
  const whole = decodeUtf8(octets);
  if (whole !== undefined) return whole;
  const parts: string[] = [];
  for (let at = 0; at < octets.length; ) {
    const lead = octets[at] ?? 0;
    const length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    const char = decodeUtf8(octets.subarray(at, at + length));
    parts.push(char ?? String.fromCharCode(ESCAPE + lead));
    at += char === undefined ? 1 : length;
  }
  return parts.join('');
}

/** The octets of a text that {@link decodeOctets} made. Other lone surrogates become U+FFFD. */
export function encodeOctets(text: string): Uint8Array {
  const encoder = new TextEncoder();
  if (text.isWellFormed()) return encoder.encode(text);
  const parts = [...text].map((char) => {
    const code = char.codePointAt(0) ?? 0;
    return code >= ESCAPE + 0x80 && code <= ESCAPE + 0xff
      ? Uint8Array.of(code - ESCAPE)
      : encoder.encode(char);
  });
  const octets = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  parts.reduce((at, part) => {
    octets.set(part, at);
    return at + part.length;
  }, 0);
  return octets;
}

const ESCAPE = 0xdc00;
