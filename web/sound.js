// Everything between the guitar and the loudspeaker: what plays, what one listens to, meters, tape.
//
//   guitar --+--> input gain --> twin ---------+
//            +--> straight --------------------+--> output gain --> out
//   recording of the amp --> same cabinet -----+

const FADE_SECONDS = 0.02;
const START_SECONDS = 0.02;
const WORKLET = new URL('worklet.js', import.meta.url);
const DRY = { echoCancellation: false, noiseSuppression: false, autoGainControl: false };

/** One audio context; the rate is the twin's, since a twin is right at no other. */
export class Sound {
  #context;
  #guitar;
  #drive;
  #level;
  #paths = {};
  #cabinet;
  #amp;
  #sources = [];
  #start = 0; // when the guitar began, in samples
  #recording;
  #stream;
  #heard = 'twin';
  #tape;

  /** @param {(report: object) => void} tell is told the worklet's load, and when it has started */
  static async open(rateHz, tell) {
    const context = new AudioContext({ sampleRate: rateHz, latencyHint: 'interactive' });
    if (!context.audioWorklet)
      throw new Error('Browsers let a page play in step only by https, or from this machine');
    await context.audioWorklet.addModule(WORKLET);
    return new Sound(context, tell);
  }

  constructor(context, tell) {
    this.#context = context;
    this.tell = tell;
    this.#guitar = new GainNode(context, { channelCount: 1, channelCountMode: 'explicit' });
    this.#drive = new GainNode(context);
    this.#level = new GainNode(context);
    this.#cabinet = new ConvolverNode(context, { disableNormalization: true });
    this.input = new AnalyserNode(context, { fftSize: 2048 });
    this.output = new AnalyserNode(context, { fftSize: 2048 });
    for (const name of ['twin', 'bypass', 'amp']) {
      this.#paths[name] = new GainNode(context, { gain: name === this.#heard ? 1 : 0 });
      this.#paths[name].connect(this.#level);
    }
    this.#guitar.connect(this.input);
    this.#guitar.connect(this.#paths.bypass);
    this.#guitar.connect(this.#drive);
    this.#cabinet.connect(this.#paths.amp);
    this.#level.connect(this.output).connect(context.destination);
  }

  get rateHz() { return this.#context.sampleRate; }
  get running() { return this.#context.state === 'running'; }
  get playing() { return this.#sources.length > 0 || Boolean(this.#stream); }

  /** What the browser and the sound card add, where the browser knows; the engine adds nothing. */
  get latencySeconds() { return this.#context.baseLatency + (this.#context.outputLatency || 0); }

  set gainsDb({ input, output }) {
    this.#glide(this.#drive.gain, ratio(input));
    this.#glide(this.#level.gain, ratio(output));
  }

  /** Browsers let a page sound once somebody has clicked on it. */
  resume() { return this.#context.resume(); }

  /** Fades from the twin that plays to this one; both play meanwhile. */
  playTwin(snapshot) {
    const node = ampNode(this.#context, snapshot);
    const fade = new GainNode(this.#context, { gain: 0 });
    node.port.onmessage = ({ data }) => this.tell(data);
    this.#drive.connect(node).connect(fade).connect(this.#paths.twin);
    this.#glide(fade.gain, 1);
    this.#retire(this.#amp);
    this.#amp = { node, fade };
  }

  turn(knobs) { this.#amp?.node.port.postMessage({ knobs }); }

  /** The impulse response that recordings of the amp are heard through; null: none. */
  setCabinet(response) {
    const taps = response?.length ? response : Float32Array.of(1);
    this.#cabinet.buffer = buffer(this.#context, taps);
  }

  /** @param {'twin' | 'bypass' | 'amp'} name */
  listenTo(name) {
    this.#heard = name;
    for (const [path, node] of Object.entries(this.#paths))
      this.#glide(node.gain, path === name ? 1 : 0);
  }

  /** Plays samples round and round. */
  playSamples(samples) {
    this.stop();
    this.#start = this.#soon();
    this.#loop(samples, this.#guitar, this.#start, 0);
  }

  /** In step with the samples that play: what the amp itself made of them. */
  playRecording(samples) {
    this.#recording?.stop();
    this.#sources = this.#sources.filter((source) => source !== this.#recording);
    this.#recording = undefined;
    if (!this.#sources.length) return;
    const start = this.#soon();
    this.#recording = this.#loop(samples, this.#cabinet, start, (start - this.#start) % samples.length);
  }

  /** Plays what comes from the sound card, untouched. */
  async playGuitar() {
    this.stop();
    this.#stream = await navigator.mediaDevices.getUserMedia({ audio: DRY });
    const source = new MediaStreamAudioSourceNode(this.#context, { mediaStream: this.#stream });
    source.connect(this.#guitar);
    this.#sources.push(source);
  }

  stop() {
    for (const source of this.#sources) {
      source.stop?.();
      source.disconnect();
    }
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#sources = [];
    this.#recording = this.#stream = undefined;
  }

  startTape() {
    const node = new AudioWorkletNode(this.#context, 'tape', {
      numberOfOutputs: 0, channelCount: 1, channelCountMode: 'explicit',
    });
    this.#level.connect(node);
    this.#tape = { node, reels: [] };
    node.port.onmessage = ({ data }) => data.reel && this.#tape.reels.push(data.reel);
  }

  /** @returns {Promise<Float32Array>} what was heard since `startTape` */
  stopTape() {
    const { node, reels } = this.#tape;
    return new Promise((resolve) => {
      node.port.onmessage = ({ data }) => {
        if (data.reel) reels.push(data.reel);
        if (!data.stopped) return;
        this.#level.disconnect(node);
        resolve(joined(reels));
      };
      node.port.postMessage('stop');
    });
  }

  close() {
    this.stop();
    return this.#context.close();
  }

  /** A moment from now, in samples, so that two loops stay in step to the sample. */
  #soon() {
    return Math.ceil((this.#context.currentTime + START_SECONDS) * this.rateHz);
  }

  #loop(samples, to, start, offset) {
    const source = new AudioBufferSourceNode(this.#context, { loop: true });
    source.buffer = buffer(this.#context, samples);
    source.connect(to);
    source.start(start / this.rateHz, offset / this.rateHz);
    this.#sources.push(source);
    return source;
  }

  #glide(parameter, value) {
    parameter.setTargetAtTime(value, this.#context.currentTime, FADE_SECONDS / 3);
  }

  #retire(amp) {
    if (!amp) return;
    this.#glide(amp.fade.gain, 0);
    setTimeout(() => {
      amp.node.port.postMessage({ end: true });
      this.#drive.disconnect(amp.node);
      amp.fade.disconnect();
    }, 10000 * FADE_SECONDS);
  }
}

/** Samples through a twin, as fast as the machine can. @param gains in dB, as above */
export async function render(snapshot, samples, rateHz, gains) {
  const length = samples.length;
  const context = new OfflineAudioContext({ numberOfChannels: 1, length, sampleRate: rateHz });
  await context.audioWorklet.addModule(WORKLET);
  const source = new AudioBufferSourceNode(context, { buffer: buffer(context, samples) });
  const [drive, level] = [gains.input, gains.output].map((db) => new GainNode(context, { gain: ratio(db) }));
  source.connect(drive).connect(ampNode(context, snapshot)).connect(level).connect(context.destination);
  source.start();
  return (await context.startRendering()).getChannelData(0);
}

/** Any sound file the browser knows, as one channel at this rate. */
export async function decode(bytes, rateHz) {
  const context = new OfflineAudioContext({ length: 1, sampleRate: rateHz });
  const sound = await context.decodeAudioData(bytes.slice(0)); // decoding takes the bytes away
  const mono = new Float32Array(sound.length);
  for (let c = 0; c < sound.numberOfChannels; c++)
    sound.getChannelData(c).forEach((value, t) => { mono[t] += value / sound.numberOfChannels; });
  return mono;
}

const ratio = (db) => 10 ** (db / 20);

function ampNode(context, snapshot) {
  return new AudioWorkletNode(context, 'amp', {
    channelCount: 1,
    channelCountMode: 'explicit',
    outputChannelCount: [1],
    processorOptions: { snapshot },
  });
}

function buffer(context, samples) {
  const made = context.createBuffer(1, samples.length, context.sampleRate);
  made.copyToChannel(samples, 0);
  return made;
}

function joined(reels) {
  const whole = new Float32Array(reels.reduce((sum, reel) => sum + reel.length, 0));
  let at = 0;
  for (const reel of reels) {
    whole.set(reel, at);
    at += reel.length;
  }
  return whole;
}
