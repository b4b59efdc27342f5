/** The few parts of a browser's document that the page needs: the project compiles without the DOM's own types. */
export interface PageElement {
  textContent: string;
  className: string;
  hidden: boolean;
  readonly dataset: Record<string, string>;
  readonly files: ArrayLike<PageFile> | null;
  value: string;
  append(...children: readonly (PageElement | string)[]): void;
  replaceChildren(...children: readonly (PageElement | string)[]): void;
  setAttribute(name: string, value: string): void;
  addEventListener(event: string, listener: (event: PageEvent) => void): void;
}

export interface PageFile {
  readonly name: string;
  arrayBuffer(): Promise<ArrayBuffer>;
}

export interface PageEvent {
  readonly dataTransfer?: { readonly files: ArrayLike<PageFile> };
  preventDefault(): void;
}

export interface PageDocument {
  readonly body: PageElement;
  createElement(tag: string): PageElement;
  getElementById(id: string): PageElement | null;
}

declare const document: PageDocument;

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
