/** The few parts of a browser's document that the page needs: the project compiles without the DOM's own types. */
export interface PageElement {
  textContent: string;
  className: string;
  hidden: boolean;
  readonly dataset: Record<string, string>;
  readonly files: ArrayLike<PageFile> | null;
  value: string;
  readonly checked: boolean;
  append(...children: readonly (PageElement | string)[]): void;
  replaceChildren(...children: readonly (PageElement | string)[]): void;
  setAttribute(name: string, value: string): void;
  addEventListener(event: string, listener: (event: PageEvent) => void): void;
}

/** A file that its user gave: also a part of it can be read, and it can be handed to a worker without its bytes. */
export interface PageFile {
  readonly name: string;
  readonly size: number;
  arrayBuffer(): Promise<ArrayBuffer>;
  slice(from: number, to: number): { arrayBuffer(): Promise<ArrayBuffer> };
}

export interface PageEvent {
  readonly dataTransfer?: { readonly files: ArrayLike<PageFile> };
  preventDefault(): void;
}

export interface PageDocument {
  readonly body: PageElement;
  /** The script that is being run, while it is. */
  readonly currentScript: PageElement | null;
  createElement(tag: string): PageElement;
  getElementById(id: string): PageElement | null;
}

declare const document: PageDocument;

/** Whether this runs in the page, and not in its worker. */
export function inPage(): boolean {
  return typeof document !== 'undefined';
}

/** Text of the script that is being run. */
export function scriptText(): string {
  return document.currentScript?.textContent ?? '';
}

/** An element that the page's markup has. */
export function element(id: string): PageElement {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`page has no element ${id}`);
  return found;
}

/** A new element. What goes into it is text: nothing in evidence can become markup. */
export function make(
  tag: string,
  className: string,
  ...children: readonly (PageElement | string)[]
): PageElement {
  const made = document.createElement(tag);
  if (className !== '') made.className = className;
  made.append(...children);
  return made;
}

/** The whole page, for dropping files anywhere. */
export function page(): PageElement {
  return document.body;
}
