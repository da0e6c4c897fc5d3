// What the tubes do to a note, measured beside the music: a second engine plays a sine.
import { Engine } from './engine.js';

const PERIOD_SAMPLES = 240; // 200 Hz at 48 kHz
const HARMONICS = 12;

let engine;
let settleSamples;

self.onmessage = ({ data: { snapshot, knobs, level } }) => {
  if (snapshot) plugIn(snapshot);
  if (!engine) return;
  knobs.forEach((turn, k) => engine.setKnob(k, turn));
  engine.reset();
  self.postMessage(answer(level));
};

function plugIn(snapshot) {
  engine = Engine.copy(snapshot);
  engine.loadCabinet(new Float32Array(0)); // the tubes alone
  const { kernel_size: taps, dilations } = engine.description.architecture;
  const field = 1 + (taps - 1) * dilations.reduce((a, b) => a + b, 0);
  settleSamples = Math.ceil(field / PERIOD_SAMPLES) * PERIOD_SAMPLES;
}

// One period, after as many as the twin remembers: from then on they are all the same.
function answer(level) {
  const sine = Float32Array.from({ length: settleSamples + PERIOD_SAMPLES },
    (_, t) => level * Math.sin((2 * Math.PI * t) / PERIOD_SAMPLES));
  engine.process(sine, sine);
  const wave = sine.subarray(settleSamples);
  const partials = Array.from({ length: HARMONICS }, (_, n) => partial(wave, n + 1));
  return { level, curve: inStep(wave, partials[0].phase), harmonics: partials.map((p) => p.size) };
}

// One term of the Fourier series, as a sine.
function partial(wave, n) {
  let re = 0;
  let im = 0;
  wave.forEach((value, t) => {
    const phase = (2 * Math.PI * n * t) / PERIOD_SAMPLES;
    re += value * Math.sin(phase);
    im += value * Math.cos(phase);
  });
  return { size: (2 * Math.hypot(re, im)) / PERIOD_SAMPLES, phase: Math.atan2(im, re) };
}

// The amp's filters delay the note; moved back, out against in is a curve and not an ellipse.
function inStep(wave, phase) {
  const shift = Math.round((phase / (2 * Math.PI)) * PERIOD_SAMPLES);
  const mean = wave.reduce((a, b) => a + b, 0) / PERIOD_SAMPLES;
  return wave.map((_, t) => wave[(t - shift + PERIOD_SAMPLES) % PERIOD_SAMPLES] - mean);
}
