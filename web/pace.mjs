// Plays a twin as fast as it can, on demand, as the worklet does: benchmarks/page.py asks.
//
//   node web/pace.mjs ENGINE.wasm TWIN BLOCK < numbers of samples, one a line
//
// Answers each line with the seconds it took; engine/pace.cpp is its native twin.
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { Engine } from './engine.js';

const [wasm, twin, block] = process.argv.slice(2);
const module = new WebAssembly.Module(readFileSync(wasm));
const opened = Engine.open(module, new Uint8Array(readFileSync(twin)).buffer, twin);
const engine = Engine.copy(opened.snapshot(module)); // as the page does
const input = Float32Array.from({ length: Number(block) }, (_, t) => 0.4 * Math.sin(0.3 * t));
const output = new Float32Array(input.length);

for await (const line of createInterface({ input: process.stdin })) {
  const began = process.hrtime.bigint();
  for (let done = 0; done < Number(line); done += input.length) engine.process(input, output);
  console.log(Number(process.hrtime.bigint() - began) / 1e9);
}
