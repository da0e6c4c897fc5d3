// One player for each setting. All its sources run together, sample for sample, and only the chosen
// one is heard: switching is instant and keeps its place. Without this script the page shows the
// browser's own players.

const FADE_SECONDS = 0.01;
let context;
let playing;

const bytesOf = (audio) => {
  const source = audio.src || document.getElementById(audio.dataset.sameAs).src;
  return Uint8Array.from(atob(source.slice(source.indexOf(",") + 1)), (c) => c.charCodeAt(0)).buffer;
};

class Player {
  constructor(element) {
    this.audios = [...element.querySelectorAll("audio")];
    this.choices = [...element.querySelectorAll(".clips input")];
    this.button = element.querySelector("button");
    this.slider = element.querySelector(".transport input");
    this.time = element.querySelector("time");
    this.position = 0;
    this.button.onclick = () => (playing === this ? this.pause() : this.play());
    this.slider.oninput = () => this.seek(this.slider.value);
    for (const choice of this.choices) choice.onchange = () => this.choose();
  }

  async decode() {
    context ??= new AudioContext();
    await context.resume();
    this.decoded ??= Promise.all(this.audios.map((a) => context.decodeAudioData(bytesOf(a))));
    this.buffers = await this.decoded;
    this.seconds = Math.min(...this.buffers.map((buffer) => buffer.duration));
  }

  async play() {
    playing?.pause();
    playing = this;
    this.show(true);
    await this.decode();
    if (playing !== this) return; // another player was started meanwhile
    this.start();
    this.follow();
  }

  start() {
    this.stop();
    const at = context.currentTime + FADE_SECONDS;
    this.begun = at - this.position;
    this.voices = this.buffers.map((buffer, i) => {
      const source = new AudioBufferSourceNode(context, { buffer, loop: true, loopEnd: this.seconds });
      const gain = new GainNode(context, { gain: this.choices[i].checked ? 1 : 0 });
      source.connect(gain).connect(context.destination);
      source.start(at, this.position);
      return { source, gain };
    });
  }

  stop() {
    for (const { source } of this.voices ?? []) source.stop();
    this.voices = undefined;
  }

  pause() {
    if (this.voices) this.position = this.now();
    this.stop();
    playing = undefined;
    this.show(false);
  }

  choose() {
    this.voices?.forEach(({ gain }, i) => {
      gain.gain.setTargetAtTime(this.choices[i].checked ? 1 : 0, context.currentTime, FADE_SECONDS / 3);
    });
  }

  async seek(share) {
    if (!this.seconds) await this.decode();
    this.position = Math.min(share, 0.999) * this.seconds;
    if (this.voices) this.start();
    this.tell(this.position);
  }

  now() {
    return Math.max(0, context.currentTime - this.begun) % this.seconds;
  }

  follow() {
    if (playing !== this) return;
    if (this.voices) {
      this.slider.value = this.now() / this.seconds;
      this.tell(this.now());
    }
    requestAnimationFrame(() => this.follow());
  }

  tell(seconds) {
    const whole = Math.floor(seconds);
    this.time.textContent = `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
  }

  show(runs) {
    this.button.textContent = runs ? "❚❚" : "▶";
    this.button.setAttribute("aria-pressed", runs);
  }
}

document.body.classList.add("scripted");
for (const element of document.querySelectorAll(".player")) new Player(element);
