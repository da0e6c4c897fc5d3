/* The C door to the engine: load a twin, turn its knobs, play.
 *
 * Functions that can fail return null, or less than 0, and write one sentence into `error`, cut to
 * `error_size` bytes. Threads: `process`, `process_channels`, `set_knob_at` and `reset` belong to the
 * audio thread and never allocate, free, lock or wait. The other `set_` may come from any thread.
 * `load_`, `collect` and what tells something belong to one other thread at a time, and may run while
 * a block is played; only `prepare` and `close` must not. */
#ifndef TUBETWIN_H
#define TUBETWIN_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tubetwin_player tubetwin_player;

/* A twin from a file, or from memory (called `name` in messages). Its check signal is played, and
 * a twin that answers wrongly is refused. Close with tubetwin_close. */
tubetwin_player* tubetwin_open(const char* path, char* error, size_t error_size);
tubetwin_player* tubetwin_open_bytes(const void* bytes, size_t size, const char* name, char* error,
                                     size_t error_size);
/* The same with less memory: what is large and kept long is kept in half precision, where that has a
 * fast kernel. The error is below 1e-6 of the sound's energy. */
tubetwin_player* tubetwin_open_compact(const char* path, char* error, size_t error_size);
void tubetwin_close(tubetwin_player*);

/* What the twin says of itself: the JSON object of docs/twin-file.md. */
const char* tubetwin_description(const tubetwin_player*);
double tubetwin_sample_rate_hz(const tubetwin_player*);

/* Knobs count from 0. Values are those printed on the panel. */
int tubetwin_knob_count(const tubetwin_player*);
const char* tubetwin_knob_name(const tubetwin_player*, int knob);
double tubetwin_knob_minimum(const tubetwin_player*, int knob);
double tubetwin_knob_maximum(const tubetwin_player*, int knob);
double tubetwin_knob_default(const tubetwin_player*, int knob);

/* Turns a knob, 0 (left end) to 1 (right end); the sound glides there within the ramp (20 ms unless
 * set; 0: at once). */
void tubetwin_set_knob(tubetwin_player*, int knob, float normalised);
void tubetwin_set_ramp(tubetwin_player*, int samples);

/* The same at a sample of the block to come, or of a later one. Returns 0, or -1 if 128 wait. */
int tubetwin_set_knob_at(tubetwin_player*, int knob, float normalised, int sample);

/* Gains before the gate and behind the cabinet, 0 dB at first; what is quieter than the gate's
 * threshold (dB of full scale; -INFINITY, as at first: nothing) is shut off before the twin hears it;
 * the cabinet, on at first, may be left out; bypass lets the DI through as it is. All glide in 20 ms. */
void tubetwin_set_input_db(tubetwin_player*, float db);
void tubetwin_set_output_db(tubetwin_player*, float db);
void tubetwin_set_gate_db(tubetwin_player*, float db);
void tubetwin_set_cabinet(tubetwin_player*, int on);
void tubetwin_set_bypass(tubetwin_player*, int on);

/* The host's sample rate and how many channels it plays: 1, or 2 with an amp each; until then, 1 at
 * the twin's rate. Ends with a reset. Returns 0 or -1. */
int tubetwin_prepare(tubetwin_player*, double host_rate_hz, int channels, char* error, size_t error_size);

/* Another twin takes over while playing: it listens for as long as it remembers, then fades in within
 * 20 ms. Its knobs stand at their defaults; from now on knobs are its knobs. Returns 0, or -1 and
 * everything is as before. */
int tubetwin_load_twin(tubetwin_player*, const char* path, char* error, size_t error_size);
int tubetwin_load_twin_bytes(tubetwin_player*, const void* bytes, size_t size, const char* name, char* error,
                             size_t error_size);

/* Another impulse response takes over in the same way, up to 2 s long; 0 samples: none. At the twin's
 * sample rate, at another, or from a WAV file. Returns 0, or -1 and everything is as before. */
int tubetwin_load_cabinet(tubetwin_player*, const float* response, long samples, char* error,
                          size_t error_size);
int tubetwin_load_cabinet_at(tubetwin_player*, const float* response, long samples, double rate_hz, char* error,
                             size_t error_size);
int tubetwin_load_cabinet_wav(tubetwin_player*, const char* path, char* error, size_t error_size);

/* Gives back the memory of what was replaced; otherwise that waits for the next load. */
void tubetwin_collect(tubetwin_player*);

/* Plays any number of samples; in and out may be the same. If there are two channels, both hear it. */
void tubetwin_process(tubetwin_player*, const float* in, float* out, long samples);
/* The same with a row of samples for each channel. */
void tubetwin_process_channels(tubetwin_player*, const float* const* in, float* const* out, int samples);

/* Forgets all that was played: silence was for ever, everything always stood where it stands, and what
 * was loaded last plays. */
void tubetwin_reset(tubetwin_player*);

/* Samples that the engine adds, of the host's rate, as it says of itself: 0 at the twin's own rate. */
int tubetwin_latency(const tubetwin_player*);

/* The largest error on the check signal when the twin was opened, relative to its peak. */
double tubetwin_check_error(const tubetwin_player*);

/* Latency and receptive field in samples, measured by an impulse through a network of this twin's
 * shape. Returns 0 or -1. */
int tubetwin_measure(const tubetwin_player*, long* latency, long* receptive_field, char* error,
                     size_t error_size);

/* Memory, part by part: name and bytes; a null name ends the list. */
const char* tubetwin_memory_part(int part);
size_t tubetwin_memory_bytes(const tubetwin_player*, int part);

/* The instruction set that players opened now use, and those the machine has; null ends the list.
 * The environment variable TUBETWIN_ISA narrows the choice. */
const char* tubetwin_instruction_set(void);
const char* tubetwin_instruction_sets(int index);

#ifdef __cplusplus
}
#endif
#endif
