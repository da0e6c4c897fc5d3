// The amp's window: the curve from string to speaker, and the harmonics it adds.

const FLOOR_DB = -72;
const EVEN = '#ffb454';
const ODD = '#7fd1c7';
const GRID = '#ffffff14';
const INK = '#ffe9c9';

export const db = (ratio) => 20 * Math.log10(Math.max(ratio, 1e-9));

/** Out against in, each to its own full width: the bend is what one hears as drive. */
export function drawCurve(canvas, { curve, level }) {
  const { pen, width, height } = clean(canvas);
  const peak = Math.max(...curve.map(Math.abs), 1e-6);
  const x = (value) => width * (0.5 + 0.44 * value);
  const y = (value) => height * (0.5 - 0.42 * value);
  grid(pen, width, height);
  pen.setLineDash([4, 5]);
  trace(pen, [[x(-1), y(-1)], [x(1), y(1)]], '#ffffff38', 1);
  pen.setLineDash([]);
  const points = Array.from(curve, (value, t) => [
    x(Math.sin((2 * Math.PI * t) / curve.length)), y(value / peak)]);
  points.push(points[0]);
  glow(pen, points, EVEN);
  label(pen, width - 10, height - 12, `in ±${level.toFixed(2)} V`, 'right');
  label(pen, 10, 18, `out, peak ${db(peak).toFixed(1)} dBFS`);
}

/** Harmonics against the note itself: even ones amber, odd ones green. */
export function drawHarmonics(canvas, { harmonics }) {
  const { pen, width, height } = clean(canvas);
  const [left, bottom, top] = [34, height - 24, 22];
  const y = (value) => bottom - (bottom - top) * Math.max(0, 1 - value / FLOOR_DB);
  for (let mark = 0; mark > FLOOR_DB; mark -= 20) {
    trace(pen, [[left, y(mark)], [width - 8, y(mark)]], GRID, 1);
    label(pen, 6, y(mark) + 4, `${mark}`);
  }
  const step = (width - 8 - left) / harmonics.length;
  harmonics.forEach((size, i) => {
    const tall = db(size / harmonics[0]);
    const colour = i % 2 ? EVEN : ODD;
    pen.fillStyle = colour;
    pen.shadowColor = colour;
    pen.shadowBlur = 10;
    if (tall > FLOOR_DB)
      pen.fillRect(left + step * (i + 0.22), y(tall), step * 0.56, bottom - y(tall));
    pen.shadowBlur = 0;
    label(pen, left + step * (i + 0.5), height - 8, `${i + 1}`, 'center');
  });
}

/** The same for those who do not see it. */
export function inWords({ harmonics }) {
  const [note, ...over] = harmonics;
  const share = (100 * Math.hypot(...over)) / note;
  const said = over.slice(0, 4).map((size, i) => `${i + 2}: ${db(size / note).toFixed(0)} dB`);
  return `Distortion ${share.toFixed(1)} %. Harmonics ${said.join(', ')}`;
}

function clean(canvas) {
  const { clientWidth: width, clientHeight: height } = canvas;
  const fine = globalThis.devicePixelRatio;
  canvas.width = width * fine;
  canvas.height = height * fine;
  const pen = canvas.getContext('2d');
  pen.scale(fine, fine);
  return { pen, width, height };
}

function grid(pen, width, height) {
  for (let i = 1; i < 8; i++) {
    trace(pen, [[(width * i) / 8, 0], [(width * i) / 8, height]], GRID, 1);
    trace(pen, [[0, (height * i) / 8], [width, (height * i) / 8]], GRID, 1);
  }
}

function trace(pen, points, colour, thick) {
  pen.strokeStyle = colour;
  pen.lineWidth = thick;
  pen.beginPath();
  for (const [x, y] of points) pen.lineTo(x, y);
  pen.stroke();
}

function glow(pen, points, colour) {
  pen.lineJoin = 'round';
  pen.shadowColor = colour;
  pen.shadowBlur = 14;
  trace(pen, points, colour, 3);
  pen.shadowBlur = 0;
  trace(pen, points, INK, 1);
}

function label(pen, x, y, text, align = 'left') {
  pen.fillStyle = '#d9c7aa';
  pen.font = `12px ${getComputedStyle(pen.canvas).fontFamily}`;
  pen.textAlign = align;
  pen.fillText(text, x, y);
}
