// Counts what an audio thread must never do: taking memory, giving it back, locking, writing, throwing.
#pragma once

namespace alarm_bell {

// Everything from here to `stop` on this thread counts.
void start();
// How many forbidden calls there were.
int stop();

// Bytes that operator new handed out and nobody gave back, on all threads.
long liveBytes();

}  // namespace alarm_bell
