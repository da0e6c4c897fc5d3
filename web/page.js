// The page itself: what the hands do on the left, what the engine does on the right.
import { levelled } from './cabinet.js';
import { Engine } from './engine.js';
import { $, choose, chosen, listenToHands, radios, slide } from './hands.js';
import { Knob } from './knob.js';
import { fromLink, toLink } from './link.js';
import { runMeters } from './meters.js';
import { arranged, fromPreset, toPreset } from './preset.js';
import { NO_CABINET, Shelf, fetched } from './shelf.js';
import { Sound, decode, render } from './sound.js';
import { Tubes } from './tubes.js';
import { download, wav } from './wav.js';

const LONGEST_CABINET_SECONDS = 2; // what lasts longer is a guitar
const SOUND_FILE = /\.(wav|flac|mp3|ogg|opus|m4a|aac|aiff?)$/i;

const same = (a, b) => Math.abs(a - b) < 0.005; // panel values, as far as one can read them

let offer; // page.json: what comes with the page
let shelf;
let module; // the engine, compiled
let sound;
let engine; // the twin as the page holds it; the audio thread plays a copy
let knobs = [];
let guitar; // a promise of samples: what plays when it is not the interface
const tubes = new Tubes($('curve'), $('harmonics'));
const rig = { twin: undefined, cabinet: undefined }; // {name, described} and {name, bytes}
const gains = { input: 0, output: 0 }; // dB
let openedGuitar; // bytes
const recordings = new Map();

// ---- What is said -------------------------------------------------------------------------------

function say(what, bad = false) {
  $('status').textContent = what;
  $('status').classList.toggle('bad', bad);
}

/** Runs what may fail for a reason the user can mend. */
async function attempt(work) {
  try {
    return await work();
  } catch (error) {
    say(error.message, true);
    return undefined;
  }
}

function fact(report) {
  if (report.started && !performance.getEntriesByName('first-block').length)
    performance.mark('first-block');
  if (report.load === undefined) return;
  const latency = (1000 * sound.latencySeconds).toFixed(0);
  $('facts').textContent = `Audio thread ${(100 * report.load).toFixed(1)} % busy · `
    + `browser and sound card ${latency} ms · the twin adds 0 ms · ${sound.rateHz} Hz`;
}

// ---- The rig ------------------------------------------------------------------------------------

/**
 * Another twin, if the engine takes it; otherwise the old one plays on.
 * @param arrange its knobs -> where some of them shall stand; may refuse
 */
async function plugTwin({ name, bytes }, cabinet = rig.cabinet, arrange = () => ({})) {
  const next = Engine.open(module, bytes, name);
  const described = next.description;
  const setting = arrange(described.knobs);
  if (described.sample_rate_hz !== sound?.rateHz) await openSound(described.sample_rate_hz);
  engine = next;
  rig.twin = { name, described };
  $('badge').textContent = described.name;
  buildPanel(described.knobs, setting);
  await plugCabinet(cabinet);
}

async function plugCabinet({ name, bytes }) {
  const rateHz = sound.rateHz;
  let response = bytes ? await decode(bytes, rateHz) : new Float32Array(0);
  if (bytes && !shelf.comesWithThePage('cabinet', name)) response = levelled(response, rateHz, name);
  engine.loadCabinet(response);
  rig.cabinet = { name, bytes };
  sound.setCabinet(response);
  const ready = snapshot();
  sound.playTwin(ready);
  ask({ snapshot: ready });
  list('twin');
  list('cabinet');
  remember();
}

function snapshot() {
  knobs.forEach((knob, k) => engine.setKnob(k, knob.turn));
  engine.reset();
  return engine.snapshot(module);
}

async function openSound(rateHz) {
  await sound?.close();
  sound = await Sound.open(rateHz, fact);
  setGains(gains);
  recordings.clear();
  stopped();
  guitar = guitarSamples(chosen('guitar') === 'file');
}

async function changeTwin() {
  const name = $('twin').value;
  list('twin'); // the one that plays, until the other does
  await plugTwin(await shelf.take('twin', name));
}

async function changeCabinet() {
  const name = $('cabinet').value;
  list('cabinet');
  await plugCabinet(await shelf.take('cabinet', name));
}

function list(kind) {
  $(kind).replaceChildren(...shelf.names(kind).map((name) => new Option(name, name)));
  $(kind).value = rig[kind].name;
}

function setGains(changes) {
  Object.assign(gains, changes);
  for (const way of ['input', 'output']) slide(way, gains[way]);
  sound.gainsDb = gains;
  if (knobs.length) showSetting();
}

// ---- The panel ----------------------------------------------------------------------------------

function buildPanel(described, setting = {}) {
  const before = { ...standing(), ...setting };
  knobs = described.map((knob) => new Knob(knob));
  for (const knob of knobs) {
    if (Number.isFinite(before[knob.name])) knob.value = before[knob.name];
    knob.addEventListener('turn', turned);
  }
  $('knobs').replaceChildren(...knobs.map((knob) => knob.element));
  const known = offer.settings.filter((s) => Object.keys(s.setting).every((name) =>
    knobs.some((knob) => knob.name === name)));
  $('settings').replaceChildren(...known.map(settingButton));
  showSetting();
}

const standing = () => Object.fromEntries(knobs.map((knob) => [knob.name, knob.value]));

function settingButton({ name, setting }) {
  const button = document.createElement('button');
  button.textContent = name;
  button.addEventListener('click', () => {
    stand(setting);
  });
  return button;
}

/** Turns the knobs that a setting names, whatever the case of its letters. */
function stand(setting) {
  const wanted = new Map(Object.entries(setting).map(([name, value]) => [name.toLowerCase(), value]));
  for (const knob of knobs) knob.value = wanted.get(knob.name.toLowerCase()) ?? knob.value;
  turned();
}

function ask(question) {
  const knobTurns = knobs.map((knob) => knob.turn);
  tubes.ask({ ...question, knobs: knobTurns, level: Number($('picked').value) });
}

function turned() {
  const turns = knobs.map((knob) => knob.turn);
  sound.turn(turns);
  ask({});
  showSetting();
  remember();
}

const settingNow = () => offer.settings.find(({ setting }) =>
  knobs.length && knobs.every((knob) => same(knob.value, setting[knob.name])));

/** Which named setting this is, and whether the amp was recorded at it. */
function showSetting() {
  const now = settingNow();
  for (const button of $('settings').children)
    button.setAttribute('aria-pressed', button.textContent === now?.name);
  const isIt = rig.twin.described.provenance?.rig === offer.rig && chosen('guitar') === 'demo'
    && gains.input === 0;
  const recorded = offer.settings.filter((s) => s.recording).map((s) => s.name);
  const there = isIt && Boolean(now?.recording);
  radios('heard').find((radio) => radio.value === 'amp').disabled = !there;
  $('amp-hint').textContent = there ? 'The amp itself was recorded at this setting.'
    : recorded.length && `The amp itself was recorded with the demo, at ${recorded.join(', ')}.`;
  if (chosen('heard') === 'amp') attempt(() => hear(there ? 'amp' : 'twin'));
}

let waiting;
function remember() {
  clearTimeout(waiting); // browsers allow some hundred changes of the address in half a minute
  waiting = setTimeout(() => history.replaceState(null, '', address()), 250);
}
const address = () => toLink({ twin: rig.twin.name, cabinet: rig.cabinet.name, setting: standing() });

// ---- Playing ------------------------------------------------------------------------------------

async function play() {
  await sound.resume();
  if (chosen('guitar') === 'live') await sound.playGuitar();
  else sound.playSamples(await guitar);
  $('play').setAttribute('aria-pressed', 'true');
  $('play').lastElementChild.textContent = 'Stop';
  await hear(chosen('heard'));
  say('');
}

function stopped() {
  sound.stop();
  $('play').setAttribute('aria-pressed', 'false');
  $('play').lastElementChild.textContent = 'Play';
}

async function hear(name) {
  choose('heard', name);
  if (name === 'amp') sound.playRecording(await recordingOf(settingNow()));
  sound.listenTo(name);
}

async function recordingOf({ recording }) {
  if (!recordings.has(recording))
    recordings.set(recording, await decode(await fetched(recording), sound.rateHz));
  return recordings.get(recording);
}

async function guitarSamples(mine) {
  return decode(mine ? openedGuitar : await fetched(offer.guitar), sound.rateHz);
}

async function chooseGuitar() {
  const wasPlaying = sound.playing;
  stopped();
  guitar = guitarSamples(chosen('guitar') === 'file');
  showSetting();
  if (wasPlaying || chosen('guitar') === 'live') await play();
}

async function toggleTape() {
  const on = $('record').getAttribute('aria-pressed') !== 'true';
  $('record').setAttribute('aria-pressed', on);
  $('record').textContent = on ? 'Stop and save' : 'Record';
  if (on) sound.startTape();
  else download(wav(await sound.stopTape(), sound.rateHz), 'tubetwin-take.wav');
}

async function renderToFile() {
  say('Rendering …');
  const began = performance.now();
  const out = await render(snapshot(), await guitar, sound.rateHz, gains);
  const seconds = out.length / sound.rateHz;
  const times = seconds / ((performance.now() - began) / 1000);
  download(wav(out, sound.rateHz), 'tubetwin.wav');
  say(`Rendered ${seconds.toFixed(1)} s, ${times.toFixed(0)} times faster than it plays`);
}

// ---- Files from outside -------------------------------------------------------------------------

async function take(file) {
  const bytes = await file.arrayBuffer();
  if (/\.json$/i.test(file.name)) return takePreset(file.name, bytes);
  if (!file.type.startsWith('audio/') && !SOUND_FILE.test(file.name))
    return takeTwin(file.name, bytes);
  const samples = await decoded(file.name, bytes);
  return samples.length > LONGEST_CABINET_SECONDS * sound.rateHz
    ? takeGuitar(file.name, bytes) : takeCabinet(file.name, bytes);
}

async function decoded(name, bytes) {
  try {
    return await decode(bytes, sound.rateHz);
  } catch {
    throw new Error(`${name} is no sound file that this browser reads: try WAV`);
  }
}

async function takeTwin(name, bytes) {
  await plugTwin({ name, bytes });
  shelf.put('twin', name, bytes);
  list('twin');
  say(`${name} plays`);
}

async function takeCabinet(name, bytes) {
  await decoded(name, bytes);
  await plugCabinet({ name, bytes });
  shelf.put('cabinet', name, bytes);
  list('cabinet');
  say(`${name} is the cabinet now`);
}

async function takeGuitar(name, bytes) {
  await decoded(name, bytes);
  openedGuitar = bytes;
  $('file-name').textContent = name;
  radios('guitar').find((radio) => radio.value === 'file').disabled = false;
  choose('guitar', 'file');
  await chooseGuitar();
  say(`${name} is the guitar now`);
}

/** What it names and the page has not is said; everything else is set. */
async function takePreset(file, bytes) {
  const preset = fromPreset(bytes, file);
  const wanted = { twin: preset.twin, cabinet: preset.cabinet ?? NO_CABINET };
  const missing = Object.keys(wanted).filter((kind) => !shelf.names(kind).includes(wanted[kind]));
  const cabinet = missing.includes('cabinet') ? rig.cabinet : await shelf.take('cabinet', wanted.cabinet);
  if (missing.includes('twin')) {
    await plugCabinet(cabinet);
    stand(preset.setting);
  } else {
    const twin = await shelf.take('twin', wanted.twin);
    await plugTwin(twin, cabinet, (described) => arranged(preset, described, file));
  }
  setGains({ input: preset.inputDb, output: preset.outputDb });
  const lacks = missing.map((kind) => `the ${kind} ${wanted[kind]}`).join(' and ');
  say(lacks ? `${file}: open ${lacks} too; the rest is set` : `${file} is set`, Boolean(lacks));
}

function savePreset() {
  const { name } = rig.cabinet;
  const preset = toPreset({
    twin: rig.twin.name, cabinet: name === NO_CABINET ? null : name, setting: standing(),
    inputDb: gains.input, outputDb: gains.output,
  });
  download(new Blob([preset], { type: 'application/json' }), 'tubetwin-preset.json');
}

// ---- From the top -------------------------------------------------------------------------------

async function share() {
  history.replaceState(null, '', address());
  await navigator.clipboard.writeText(location.href);
  say('The link is on the clipboard: it carries twin, cabinet and knobs');
}

/** Sets the rig as a link says. */
async function follow({ twin = offer.twins[0].name, cabinet = offer.cabinets[0].name, setting }) {
  const [its, box] = await Promise.all([shelf.take('twin', twin), shelf.take('cabinet', cabinet)]);
  await plugTwin(its, box, () => setting);
}

async function start() {
  const compiled = fetched('engine.wasm').then((bytes) => WebAssembly.compile(bytes));
  offer = JSON.parse(new TextDecoder().decode(await fetched('page.json')));
  shelf = new Shelf(offer);
  module = await compiled;
  const asked = fromLink(location.hash);
  await follow(asked).catch(async (error) => {
    await follow({ setting: {} });
    throw error;
  });
  say('');
}

await attempt(start);
if (sound) {
  listenToHands({
    play: () => (sound.playing ? stopped() : play()),
    chooseGuitar, hear, changeTwin, changeCabinet, take, takeTwin, takeCabinet, takeGuitar,
    takePreset, savePreset, toggleTape, renderToFile, share,
    gain: (way, db) => setGains({ [way]: db }),
    pick: () => ask({}),
    follow: (hash) => follow(fromLink(hash)),
  }, attempt);
  runMeters(() => sound, { input: $('in'), output: $('out'), clip: $('clip'),
    amp: document.querySelector('.amp') });
  navigator.serviceWorker?.register('service.js');
  document.documentElement.dataset.ready = 'true';
}
