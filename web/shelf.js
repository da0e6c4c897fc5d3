// What can be chosen: what comes with the page, and what was opened on it.

export const NO_CABINET = 'none';

export async function fetched(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${answer.statusText}`);
  return answer.arrayBuffer();
}

export class Shelf {
  #opened = { twin: new Map(), cabinet: new Map() }; // name -> bytes

  /** @param offer page.json: what comes with the page */
  constructor(offer) {
    this.offer = offer;
  }

  names(kind) {
    const listed = this.offer[`${kind}s`].map((item) => item.name);
    const none = kind === 'cabinet' ? [NO_CABINET] : [];
    return [...listed, ...this.#opened[kind].keys(), ...none];
  }

  /** Keeps an opened file for later. */
  put(kind, name, bytes) {
    this.#opened[kind].set(name, bytes);
  }

  /** Whether a cabinet is ours, which is as loud as none already. */
  comesWithThePage(kind, name) {
    return this.offer[`${kind}s`].some((item) => item.name === name);
  }

  /** @returns {Promise<{name: string, bytes: ArrayBuffer | null}>} null: no cabinet */
  async take(kind, name) {
    if (kind === 'cabinet' && name === NO_CABINET) return { name, bytes: null };
    const mine = this.#opened[kind].get(name);
    if (mine) return { name, bytes: mine };
    const listed = this.offer[`${kind}s`].find((item) => item.name === name);
    if (!listed) throw new Error(`This page has no ${kind} called ${name}; open its file first`);
    return { name, bytes: await fetched(listed.file) };
  }
}
