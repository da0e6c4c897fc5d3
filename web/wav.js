// A WAV file of 32-bit floats, which cannot clip, and how it reaches the disk.

/** @returns {Blob} mono; layout: Microsoft's WAVEFORMATEX with format 3, IEEE float */
export function wav(samples, rateHz) {
  const header = new DataView(new ArrayBuffer(58));
  const text = (at, letters) => [...letters].forEach((c, i) => header.setUint8(at + i, c.charCodeAt()));
  const bytes = 4 * samples.length;
  text(0, 'RIFF');
  header.setUint32(4, 50 + bytes, true);
  text(8, 'WAVEfmt ');
  header.setUint32(16, 18, true);
  header.setUint16(20, 3, true); // IEEE float
  header.setUint16(22, 1, true); // one channel
  header.setUint32(24, rateHz, true);
  header.setUint32(28, 4 * rateHz, true);
  header.setUint16(32, 4, true);
  header.setUint16(34, 32, true);
  text(38, 'fact'); // asked for by every format but PCM
  header.setUint32(42, 4, true);
  header.setUint32(46, samples.length, true);
  text(50, 'data');
  header.setUint32(54, bytes, true);
  return new Blob([header, samples], { type: 'audio/wav' });
}

export function download(blob, name) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
