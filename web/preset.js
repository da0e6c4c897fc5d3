// A sound as a file: the JSON of docs/presets.md, which terminal and plugin read and write too.

const FORMAT = 1;
const MOST_DB = 40; // either way
const MOST_BYTES = 100_000; // ours have 300
const TYPES = {
  format: 'number', twin: 'string', cabinet: 'string', knobs: 'object', input_db: 'number', output_db: 'number',
};

/** @param sound {twin, cabinet: null for none, setting: panel values, inputDb, outputDb} */
export function toPreset({ twin, cabinet, setting, inputDb, outputDb }) {
  const knobs = Object.fromEntries(
    Object.entries(setting).map(([name, value]) => [name, +value.toFixed(3)]));
  const described = { format: FORMAT, twin, cabinet, knobs, input_db: inputDb, output_db: outputDb };
  return `${JSON.stringify(described, null, 1)}\n`;
}

/**
 * @param {ArrayBuffer} bytes
 * @param {string} file what messages call it
 * @returns as `toPreset` takes
 * @throws what is wrong with it, and the mend
 */
export function fromPreset(bytes, file) {
  const preset = parsed(bytes, file);
  const refuse = (why) => { throw new Error(`${file}: ${why}`); };
  for (const key of ['format', 'twin']) if (!(key in preset)) refuse(`lacks '${key}'`);
  if (preset.format !== FORMAT) refuse(`'format' must be ${FORMAT}: save the preset with this version`);
  preset.cabinet ??= null;
  for (const [key, value] of Object.entries(preset)) {
    if (!TYPES[key]) refuse(`no preset has a '${key}': remove it`);
    const right = typeof value === TYPES[key] && value !== null && !Array.isArray(value);
    if (!right && !(key === 'cabinet' && value === null))
      refuse(`'${key}' must be of type ${TYPES[key]}, not ${JSON.stringify(value)}`);
    if (key.endsWith('_db') && !(Math.abs(value) <= MOST_DB))
      refuse(`'${key}' goes from -${MOST_DB} to ${MOST_DB}, not ${value}`);
  }
  const { twin, cabinet, knobs = {}, input_db: inputDb = 0, output_db: outputDb = 0 } = preset;
  if (!twin || cabinet === '') refuse('a preset names its twin and its cabinet; no cabinet is null');
  for (const [name, value] of Object.entries(knobs))
    if (!name || !Number.isFinite(value)) refuse(`knob '${name}' needs a finite number, not ${value}`);
  return { twin, cabinet, setting: knobs, inputDb, outputDb };
}

function parsed(bytes, file) {
  if (bytes.byteLength > MOST_BYTES)
    throw new Error(`${file} is too large for a preset: give a file that tubetwin saved`);
  let read;
  try {
    read = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw new Error(`${file} is no preset, as it is not JSON (${error.message}): save it anew`);
  }
  return Object.prototype.toString.call(read) === '[object Object]' ? read : {};
}

/**
 * Where all knobs of a twin stand; those that the preset leaves out stand at their default.
 * @throws a knob the twin has not, or a value outside its printed range
 */
export function arranged({ setting }, knobs, file) {
  const printed = new Map(knobs.map((knob) => [knob.name.toLowerCase(), knob]));
  const stand = Object.fromEntries(knobs.map((knob) => [knob.name, knob.default]));
  for (const [name, value] of Object.entries(setting)) {
    const knob = printed.get(name.toLowerCase());
    if (!knob) {
      const names = knobs.map((k) => k.name).join(', ') || 'none';
      throw new Error(`${file}: no knob called '${name}': this amp has ${names}`);
    }
    if (!(value >= knob.minimum && value <= knob.maximum))
      throw new Error(`${file}: knob ${knob.name} goes from ${knob.minimum} to ${knob.maximum}, not ${value}`);
    stand[knob.name] = value;
  }
  return stand;
}
