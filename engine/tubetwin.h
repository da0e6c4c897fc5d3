/* The C door to the engine: load a twin, turn its knobs, play.
 *
 * Functions that can fail return null, or less than 0, and write one sentence into `error`, cut to
 * `error_size` bytes. Threads: `process` and `reset` belong to the audio thread and never allocate,
 * lock or wait; `set_knob` and `set_ramp` may come from any thread; the rest must not run while a
 * block is played. */
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

/* An impulse response at the twin's sample rate, up to 2 s; 0 samples: none. Returns 0 or -1. */
int tubetwin_load_cabinet(tubetwin_player*, const float* response, long samples, char* error,
                          size_t error_size);

/* Plays any number of samples; in and out may be the same. */
void tubetwin_process(tubetwin_player*, const float* in, float* out, long samples);

/* Forgets all that was played: silence was for ever, the knobs always stood where they stand. */
void tubetwin_reset(tubetwin_player*);

/* Samples that the engine adds, as it says of itself: 0. */
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
