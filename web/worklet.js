// What runs on the audio thread: the engine, and a tape machine. Neither has a sound of its own.
import { Engine } from './engine.js';

const REPORT_SECONDS = 0.5;
const TAPE_SAMPLES = 16384; // sent at once: a third of a second

// Most browsers keep the fine clock from this thread. Milliseconds do as well: the many block
// times of half a second are rounded up as often as down, so their sum is right on average.
const now = globalThis.performance ? () => performance.now() : () => Date.now();

class Amp extends AudioWorkletProcessor {
  #engine;
  #ended = false;
  #blocks = 0;
  #busyMs = 0;
  #reportAt = 0;

  constructor({ processorOptions }) {
    super();
    this.#engine = Engine.copy(processorOptions.snapshot);
    this.port.onmessage = ({ data }) => this.#obey(data);
  }

  #obey({ knobs, end }) {
    knobs?.forEach((turn, k) => this.#engine.setKnob(k, turn));
    this.#ended ||= Boolean(end);
  }

  process([input], [[output]]) {
    const began = now();
    if (input.length) this.#engine.process(input[0], output);
    else this.#engine.process(output, output); // nothing is plugged in: silence
    this.#busyMs += now() - began;
    if (this.#blocks++ === 0) this.port.postMessage({ started: true });
    if (currentTime >= this.#reportAt) this.#report();
    return !this.#ended;
  }

  #report() {
    this.port.postMessage({ load: this.#busyMs / 1000 / REPORT_SECONDS });
    this.#busyMs = 0;
    this.#reportAt = currentTime + REPORT_SECONDS;
  }
}

class Tape extends AudioWorkletProcessor {
  #reel = new Float32Array(TAPE_SAMPLES);
  #written = 0;
  #ended = false;

  constructor() {
    super();
    this.port.onmessage = () => this.#stop();
  }

  process([[input]]) {
    if (this.#ended || !input) return !this.#ended;
    this.#reel.set(input, this.#written);
    this.#written += input.length;
    if (this.#written === TAPE_SAMPLES) this.#send();
    return true;
  }

  #send() {
    const reel = this.#reel.slice(0, this.#written);
    this.port.postMessage({ reel }, [reel.buffer]);
    this.#written = 0;
  }

  #stop() {
    this.#send();
    this.port.postMessage({ stopped: true });
    this.#ended = true;
  }
}

registerProcessor('amp', Amp);
registerProcessor('tape', Tape);
