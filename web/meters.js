// Level meters, the clip lamp, and tubes that glow with what they deliver.
import { db } from './picture.js';

const FLOOR_DB = -60;
const FULL_SCALE = 1 - 2 ** -15; // the highest value of a 16-bit converter
const FALL_DB = 0.7; // per picture: about 40 dB a second
const CLIP_MS = 1500;

/** Draws for as long as the page is open; `sound()` is the one that plays now, if any. */
export function runMeters(sound, { input, output, clip, amp }) {
  const samples = new Float32Array(2048);
  const shown = new Map();
  let clippedAt = -CLIP_MS;
  let glow = 0;

  function show(meter, analyser) {
    analyser.getFloatTimeDomainData(samples);
    const peak = samples.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const level = Math.max(db(peak), (shown.get(meter) ?? FLOOR_DB) - FALL_DB, FLOOR_DB);
    shown.set(meter, level);
    meter.style.setProperty('--level', `${(100 * (1 - level / FLOOR_DB)).toFixed(1)}%`);
    meter.setAttribute('aria-valuenow', Math.min(level, 0).toFixed(0));
    meter.setAttribute('aria-valuetext', level > FLOOR_DB ? `${level.toFixed(0)} dBFS` : 'silent');
    return peak;
  }

  function draw(now) {
    requestAnimationFrame(draw);
    if (!sound()) return;
    const came = show(input, sound().input);
    const peak = show(output, sound().output);
    if (came >= FULL_SCALE || peak > 1) {
      clippedAt = now;
      clip.textContent = came >= FULL_SCALE ? 'Clip in' : 'Clip out';
    }
    clip.classList.toggle('lit', now - clippedAt < CLIP_MS);
    glow += 0.12 * (Math.min(peak, 1) - glow);
    amp.style.setProperty('--glow', (0.2 + 0.8 * glow).toFixed(2));
  }
  requestAnimationFrame(draw);
}
