// A worker keeps the page alive while a large archive is verified. It runs the script of the page itself: the policy of
// the page allows no other, and nothing is fetched.

/** What a worker is, as far as the page needs it. */
interface PageWorker {
  onmessage: ((event: { readonly data: unknown }) => void) | null;
  onerror: ((event: { preventDefault(): void }) => void) | null;
  postMessage(message: unknown): void;
  terminate(): void;
}

declare const Worker: (new (url: string) => PageWorker) | undefined;
declare const self: Pick<PageWorker, 'onmessage' | 'postMessage'>;

type Message<R> =
  | { readonly kind: 'progress'; readonly done: number }
  | { readonly kind: 'done'; readonly result: R }
  | { readonly kind: 'failed'; readonly why: string };

/** Work on one task; its progress goes from 0 to 1. */
export type Work<T, R> = (task: T, onProgress: (done: number) => void) => Promise<R>;

/** What is thrown where there can be no worker. */
export class NoWorker extends Error {}

/** In the worker: does the one task that it is given. */
export function serveWork<T, R>(work: Work<T, R>): void {
  const say = (message: Message<R>): void => self.postMessage(message);
  self.onmessage = ({ data }) => {
    // From our own page, in which nothing else runs.
    work(data as T, (done) => say({ kind: 'progress', done })).then(
      (result) => say({ kind: 'done', result }),
      (error: unknown) => say({ kind: 'failed', why: String(error) }),
    );
  };
}

/**
 * In the page: has a worker do it.
 * @throws {NoWorker} if there can be none
 */
export function workElsewhere<T, R>(script: string, stop: AbortSignal): Work<T, R> {
  return (task, onProgress) =>
    new Promise((resolve, reject) => {
      if (typeof Worker === 'undefined') throw new NoWorker();
      const url = URL.createObjectURL(new Blob([script], { type: 'text/javascript' }));
      const worker = new Worker(url);
      const end = (): void => {
        worker.terminate();
        URL.revokeObjectURL(url);
      };
      stop.addEventListener('abort', end, { once: true });
      worker.onerror = (event) => {
        event.preventDefault();
        end();
        reject(new NoWorker());
      };
      worker.onmessage = ({ data }) => {
        const message = data as Message<R>;
        if (message.kind === 'progress') return onProgress(message.done);
        end();
        if (message.kind === 'done') resolve(message.result);
        else reject(new Error(message.why));
      };
      worker.postMessage(task);
    });
}
