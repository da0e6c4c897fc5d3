// The window on the tubes: asks the probe what they do at the knobs as they stand, and draws it.
import { drawCurve, drawHarmonics, inWords } from './picture.js';

export class Tubes {
  #probe = new Worker(new URL('probe.js', import.meta.url), { type: 'module' });
  #busy = false;
  #next; // the question to ask when the last one is answered: older ones are overtaken
  #answer;

  constructor(curve, harmonics) {
    this.curve = curve;
    this.harmonics = harmonics;
    this.#probe.onmessage = ({ data }) => this.#hear(data);
    addEventListener('resize', () => this.#draw());
  }

  /** @param question {knobs, level, snapshot}; a snapshot brings another twin */
  ask(question) {
    this.#next = { ...this.#next, ...question };
    if (!this.#busy) this.#send();
  }

  #send() {
    this.#busy = Boolean(this.#next);
    if (this.#next) this.#probe.postMessage(this.#next);
    this.#next = undefined;
  }

  #hear(answer) {
    this.#answer = answer;
    this.#draw();
    this.#send();
  }

  #draw() {
    if (!this.#answer) return;
    drawCurve(this.curve, this.#answer);
    drawHarmonics(this.harmonics, this.#answer);
    this.harmonics.setAttribute('aria-label', inWords(this.#answer));
  }
}
