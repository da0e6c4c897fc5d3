// Where hands touch the page: buttons, menus, keys, links and dropped files.

export const $ = (id) => document.getElementById(id);
export const radios = (name) => [...document.querySelectorAll(`input[name=${name}]`)];
export const chosen = (name) => radios(name).find((radio) => radio.checked).value;
export const choose = (name, value) => {
  radios(name).find((radio) => radio.value === value).checked = true;
};

const SLIDERS = { input: ['dB', 1], output: ['dB', 1], picked: ['V', 2] }; // unit, digits

/**
 * @param act what each touch does
 * @param attempt runs it, and says why if it fails
 */
export function listenToHands(act, attempt) {
  const on = (id, event, work) => $(id).addEventListener(event, () => attempt(work));
  on('play', 'click', act.play);
  on('record', 'click', act.toggleTape);
  on('render', 'click', act.renderToFile);
  on('share', 'click', act.share);
  on('twin', 'change', act.changeTwin);
  on('cabinet', 'change', act.changeCabinet);
  for (const radio of radios('guitar'))
    radio.addEventListener('change', () => attempt(act.chooseGuitar));
  for (const radio of radios('heard'))
    radio.addEventListener('change', () => attempt(() => act.hear(radio.value)));
  on('save', 'click', act.savePreset);
  for (const id of Object.keys(SLIDERS)) $(id).addEventListener('input', () => {
    slide(id, Number($(id).value));
    if (id === 'picked') act.pick();
    else act.gain(id, Number($(id).value));
  });
  opener('open-preset', act.takePreset, attempt);
  opener('open-twin', act.takeTwin, attempt);
  opener('open-cabinet', act.takeCabinet, attempt);
  opener('open-guitar', act.takeGuitar, attempt);
  addEventListener('keydown', shortcut);
  addEventListener('hashchange', () => attempt(() => act.follow(location.hash)));
  listenForDrops(act.take, attempt);
}

/** Moves a slider to a value, and writes the value beside it. */
export function slide(id, value) {
  const [unit, digits] = SLIDERS[id];
  const text = `${value.toFixed(digits)} ${unit}`;
  $(id).value = value;
  $(id).setAttribute('aria-valuetext', text);
  $(`${id}-value`).textContent = text;
}

function opener(id, work, attempt) {
  $(id).addEventListener('change', ({ target }) => attempt(async () => {
    const [file] = target.files;
    const bytes = await file?.arrayBuffer();
    target.value = ''; // so that the same file can be opened again
    if (file) await work(file.name, bytes);
  }));
}

function shortcut(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const heard = radios('heard')[Number(event.key) - 1];
  if (event.key === ' ' && !event.target.closest('button, input, select')) $('play').click();
  else if (heard) heard.click();
  else return;
  event.preventDefault();
}

function listenForDrops(take, attempt) {
  const veil = (hidden) => { $('drop').hidden = hidden; };
  addEventListener('dragover', (event) => {
    event.preventDefault();
    veil(false);
  });
  addEventListener('dragleave', (event) => event.relatedTarget || veil(true));
  addEventListener('drop', (event) => {
    event.preventDefault();
    veil(true);
    const files = [...event.dataTransfer.files]; // the event forgets them
    attempt(async () => { for (const file of files) await take(file); });
  });
}
