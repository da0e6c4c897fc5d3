// One knob of the panel: turned by dragging, wheel, touch and keys, and read out to screen readers.

const SWEEP_DEGREES = 300; // from the left end to the right end, as on a real pot
const DRAG_PIXELS = 220; // for the whole travel
const FINE = 0.2; // with Shift, a drag or a key does this much less
const STEPS = 11; // numerals round the knob
const KEYS = {
  ArrowUp: 0.01, ArrowRight: 0.01, ArrowDown: -0.01, ArrowLeft: -0.01,
  PageUp: 0.1, PageDown: -0.1, Home: -1, End: 1,
};

const degrees = (turn) => (turn - 0.5) * SWEEP_DEGREES;

/** Fires `turn` events whenever a hand moves it. */
export class Knob extends EventTarget {
  #knob;
  #turn;
  #held;

  /** @param knob {name, minimum, maximum, default}, in panel values */
  constructor(knob) {
    super();
    this.#knob = knob;
    this.element = document.createElement('div');
    this.element.className = 'knob';
    this.element.innerHTML = drawing(knob);
    this.dial = this.element.querySelector('.dial');
    const name = this.element.querySelector('.name');
    name.textContent = knob.name;
    this.readOut = this.element.querySelector('.value');
    this.#describe();
    this.#listen();
    this.value = knob.default;
  }

  get name() { return this.#knob.name; }
  get turn() { return this.#turn; }
  get value() { return this.#knob.minimum + this.#turn * this.#span; }
  set value(panel) { this.#stand((panel - this.#knob.minimum) / this.#span); }
  get #span() { return this.#knob.maximum - this.#knob.minimum; }

  #describe() {
    const { name, minimum, maximum } = this.#knob;
    const told = { role: 'slider', tabindex: 0, 'aria-label': name, 'aria-valuemin': minimum,
      'aria-valuemax': maximum, 'aria-orientation': 'vertical' };
    for (const [key, value] of Object.entries(told)) this.dial.setAttribute(key, value);
  }

  #listen() {
    const { dial } = this;
    dial.addEventListener('pointerdown', (event) => this.#grab(event));
    dial.addEventListener('pointermove', (event) => this.#drag(event));
    for (const end of ['pointerup', 'pointercancel'])
      dial.addEventListener(end, () => { this.#held = undefined; });
    dial.addEventListener('wheel', (event) => this.#wheel(event), { passive: false });
    dial.addEventListener('keydown', (event) => this.#key(event));
    dial.addEventListener('dblclick', () => this.#move(
      (this.#knob.default - this.#knob.minimum) / this.#span));
  }

  #grab(event) {
    if (event.button) return;
    event.preventDefault();
    this.dial.focus({ preventScroll: true });
    this.dial.setPointerCapture(event.pointerId);
    this.#held = { x: event.clientX, y: event.clientY, turn: this.#turn };
  }

  #drag(event) {
    if (!this.#held) return;
    const way = event.clientX - this.#held.x + this.#held.y - event.clientY;
    const turn = this.#held.turn + way / DRAG_PIXELS * (event.shiftKey ? FINE : 1);
    this.#held = { x: event.clientX, y: event.clientY, turn };
    this.#move(turn);
  }

  #wheel(event) {
    event.preventDefault();
    this.#move(this.#turn - Math.sign(event.deltaY || event.deltaX) * 0.02);
  }

  #key(event) {
    const step = KEYS[event.key];
    if (step === undefined) return;
    event.preventDefault();
    this.#move(this.#turn + step * (event.shiftKey ? FINE : 1));
  }

  #move(turn) {
    const before = this.#turn;
    this.#stand(turn);
    if (this.#turn !== before) this.dispatchEvent(new Event('turn'));
  }

  #stand(turn) {
    this.#turn = Math.min(Math.max(turn, 0), 1);
    const value = this.value.toFixed(this.#span > 50 ? 0 : 1);
    this.readOut.textContent = value;
    this.dial.setAttribute('aria-valuenow', value);
    this.dial.setAttribute('aria-valuetext', `${this.#knob.name} ${value}`);
    this.dial.style.setProperty('--angle', `${degrees(this.#turn)}deg`);
  }
}

function drawing(knob) {
  return `<div class="dial"><svg viewBox="-60 -60 120 120" aria-hidden="true">
    ${scale(knob)}
    <circle class="shadow" r="34" cy="5"/>
    <circle class="skirt" r="32"/>
    <g class="pointer">
      <path class="head" d="M0,-37 C4,-37 6,-30 9,-21 A23 23 0 1 1 -9,-21 C-6,-30 -4,-37 0,-37 Z"/>
      <path class="shine" d="M-7,-20 A20 20 0 0 0 -14,13"/>
      <path class="line" d="M0,-35 V-14"/>
    </g></svg></div>
    <div class="name"></div><div class="value" aria-hidden="true"></div>`;
}

// Numerals where they come out whole; otherwise ticks, and figures at both ends.
function scale({ minimum, maximum }) {
  const step = (maximum - minimum) / (STEPS - 1);
  return Array.from({ length: STEPS }, (_, i) => {
    const angle = (degrees(i / (STEPS - 1)) * Math.PI) / 180;
    const [x, y] = [Math.sin(angle), -Math.cos(angle)];
    const figure = Number.isInteger(step) || i % (STEPS - 1) === 0;
    const mark = figure
      ? `<text x="${51 * x}" y="${51 * y}">${+(minimum + i * step).toFixed(1)}</text>` : '';
    return `<line x1="${38 * x}" y1="${38 * y}" x2="${43 * x}" y2="${43 * y}"/>${mark}`;
  }).join('');
}
