// How loud a cabinet makes a guitar, so that every impulse response plays as loud as none.

const BANDS = 160;
const [LOWEST_HZ, HIGHEST_HZ] = [80, 5000];

/** As an amplitude ratio; the measure is `loudness` of src/tubetwin/cabinet.py, which explains it. */
export function loudness(response, rateHz) {
  let heard = 0;
  let whole = 0;
  for (let band = 0; band < BANDS; band++) {
    const hz = LOWEST_HZ * (HIGHEST_HZ / LOWEST_HZ) ** (band / (BANDS - 1));
    const shelf = (hz / 1680) ** 2;
    const weight = (1 + shelf * 10 ** 0.4) / (1 + shelf) / (1 + (hz / 800) ** 2);
    heard += weight * power(response, (2 * Math.PI * hz) / rateHz);
    whole += weight;
  }
  return Math.sqrt(heard / whole);
}

/** An impulse response as loud as no cabinet. Throws if it is too long or has no sound in it. */
export function levelled(response, rateHz, name) {
  if (response.length > 2 * rateHz)
    throw new Error(`${name} lasts over two seconds: cut it after its tail`);
  const loud = loudness(response, rateHz);
  if (!(loud > 1e-9)) throw new Error(`${name} is silent: choose another impulse response`);
  return response.map((tap) => tap / loud);
}

// |sum of h[t] exp(-j w t)|^2 by Goertzel's recurrence.
function power(response, w) {
  const turn = 2 * Math.cos(w);
  let [last, before] = [0, 0];
  for (const tap of response) [last, before] = [tap + turn * last - before, last];
  return last * last + before * before - turn * last * before;
}
