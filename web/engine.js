// The engine of this project in WebAssembly: the C door of engine/tubetwin.h, for page, worklet and node.
//
// An open engine is nothing but its memory. The page opens a twin, which takes its time and may
// fail, and hands the audio thread a copy of that memory, which takes less than a millisecond and
// cannot fail.

const LONGEST = 8192; // samples played per call; longer stretches are cut
const MESSAGE_BYTES = 1000;

export class BadTwin extends Error {}

/** A twin, playing: knobs turn while samples pass. */
export class Engine {
  #door;
  #places; // where in the module's memory the player and our buffers lie

  constructor(door, places) {
    this.#door = door;
    this.#places = places;
  }

  /**
   * @param {WebAssembly.Module} module the compiled engine
   * @param {ArrayBuffer} bytes the twin file
   * @param {string} name what messages call it
   * @throws {BadTwin} in the engine's own words
   */
  static open(module, bytes, name) {
    const door = new WebAssembly.Instance(module).exports;
    door._initialize();
    const places = {
      message: door.malloc(MESSAGE_BYTES),
      input: door.malloc(4 * LONGEST),
      output: door.malloc(4 * LONGEST),
    };
    const engine = new Engine(door, places);
    const file = engine.#put(new Uint8Array(bytes));
    const called = engine.#put(new TextEncoder().encode(`${name}\0`));
    places.player = door.tubetwin_open_bytes(
      file, bytes.byteLength, called, places.message, MESSAGE_BYTES);
    door.free(file);
    door.free(called);
    if (!places.player) throw new BadTwin(engine.#text(places.message));
    return engine;
  }

  /** Another engine in the same state. */
  static copy({ module, memory, places }) {
    const door = new WebAssembly.Instance(module).exports;
    const missing = memory.byteLength - door.memory.buffer.byteLength;
    if (missing > 0) door.memory.grow(missing / 65536);
    new Uint8Array(door.memory.buffer).set(new Uint8Array(memory));
    return new Engine(door, places);
  }

  /** What `copy` takes, on any thread. */
  snapshot(module) {
    return { module, memory: this.#door.memory.buffer.slice(0), places: { ...this.#places } };
  }

  /** What the twin says of itself: the JSON object of docs/twin-file.md. */
  get description() {
    return JSON.parse(this.#text(this.#door.tubetwin_description(this.#places.player)));
  }

  /** Turns a knob, 0 to 1; the sound glides there. */
  setKnob(knob, normalised) {
    this.#door.tubetwin_set_knob(this.#places.player, knob, normalised);
  }

  /** Knobs are at once where they were turned to, and nothing was ever played. */
  reset() {
    this.#door.tubetwin_reset(this.#places.player);
  }

  /** Plays through an impulse response at the twin's rate, up to 2 s; none if it is empty. */
  loadCabinet(response) {
    const { player, message } = this.#places;
    const at = this.#put(new Uint8Array(response.buffer, response.byteOffset, response.byteLength));
    const failed = this.#door.tubetwin_load_cabinet(
      player, at, response.length, message, MESSAGE_BYTES);
    this.#door.free(at);
    if (failed) throw new Error(this.#text(message));
  }

  /** Plays any number of samples; both Float32Arrays may be the same. */
  process(input, output) {
    const { player, input: from, output: to } = this.#places;
    for (let done = 0; done < input.length; done += LONGEST) {
      const count = Math.min(LONGEST, input.length - done);
      this.#floats(from, count).set(input.subarray(done, done + count));
      this.#door.tubetwin_process(player, from, to, count);
      output.set(this.#floats(to, count), done);
    }
  }

  #floats(at, count) {
    return new Float32Array(this.#door.memory.buffer, at, count);
  }

  #put(bytes) {
    const at = this.#door.malloc(bytes.length);
    new Uint8Array(this.#door.memory.buffer, at, bytes.length).set(bytes);
    return at;
  }

  #text(at) {
    const bytes = new Uint8Array(this.#door.memory.buffer, at);
    return new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0)));
  }
}

/** Panel value -> 0...1, and back. */
export const normalise = (knob, value) => (value - knob.minimum) / (knob.maximum - knob.minimum);
export const panel = (knob, turn) => knob.minimum + turn * (knob.maximum - knob.minimum);
