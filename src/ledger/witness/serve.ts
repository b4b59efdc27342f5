import { type ListenOptions, listen, type Reply, type Running, readBody, textReply } from '../server/http.ts';
import { MAX_WITNESS_REQUEST_BYTES, type Witness } from './witness.ts';

/** Serves a witness: `POST /add-checkpoint`, and `GET /<origin hash>/checkpoint` for monitors. */
export function serveWitness(witness: Witness, options: ListenOptions = {}): Promise<Running> {
  return listen(async (request, path): Promise<Reply> => {
    if (path === '/add-checkpoint') {
      if (request.method !== 'POST') return textReply(405, 'use POST', { allow: 'POST' });
      const { status, body, contentType } = witness.addCheckpoint(
        await readBody(request, MAX_WITNESS_REQUEST_BYTES),
      );
      return textReply(status, body, contentType === undefined ? {} : { 'content-type': contentType });
    }
    const [, hash] = /^\/([0-9a-f]{64})\/checkpoint$/.exec(path) ?? [];
    if (hash === undefined) return textReply(404, 'not found');
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return textReply(405, 'use GET', { allow: 'GET, HEAD' });
    }
    const note = witness.checkpoint(hash);
    return note === undefined ? textReply(404, 'no checkpoint of this log') : textReply(200, note);
  }, options);
}
