// The engine outside a browser, for tests: plays raw float32 files through a twin.
//
//   node web/node.mjs < job.json, with {engine, twin, name, input, output, cabinet, knobs, block}
//
// Prints {loudness: of the cabinet}, or {error} in the engine's words.
import { readFileSync, writeFileSync } from 'node:fs';
import { loudness } from './cabinet.js';
import { Engine } from './engine.js';

const bytes = (path) => new Uint8Array(readFileSync(path)).buffer;
const floats = (path) => (path ? new Float32Array(bytes(path)) : new Float32Array(0));

function done(job) {
  const module = new WebAssembly.Module(readFileSync(job.engine));
  const opened = Engine.open(module, bytes(job.twin), job.name);
  const cabinet = floats(job.cabinet);
  opened.loadCabinet(cabinet);
  job.knobs.forEach((turn, k) => opened.setKnob(k, turn));
  opened.reset();
  const engine = Engine.copy(opened.snapshot(module)); // as the page does
  const input = floats(job.input);
  const output = new Float32Array(input.length);
  for (let at = 0; at < input.length; at += job.block)
    engine.process(input.subarray(at, at + job.block), output.subarray(at, at + job.block));
  writeFileSync(job.output, output);
  return { loudness: loudness(cabinet, 48000) };
}

try {
  console.log(JSON.stringify(done(JSON.parse(readFileSync(0)))));
} catch (error) {
  console.log(JSON.stringify({ error: error.message }));
}
