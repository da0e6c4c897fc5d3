/* C door to training: the whole network over a batch of segments, forward and backward.
 *
 * Parameters and gradients are flat lists of floats, one list per segment, in the order of
 * tubetwin/gradient.h: lift, lift bias, taps, taps bias, alpha, mix, mix bias, head, head bias.
 * FiLM is folded into the taps by the caller. */
#ifndef TUBETWIN_GRADIENT_H
#define TUBETWIN_GRADIENT_H

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  int channels, dense, full_mix; /* which network */
  int layers;
  const int* dilations;
  long samples; /* per segment, a multiple of 32 */
  int segments, threads;
} tubetwin_training_job;

/* Sizes in floats for one segment, or -1 if this network has no native kernel. */
long tubetwin_training_parameters(const tubetwin_training_job* job);
long tubetwin_training_saved(const tubetwin_training_job* job);

/* parameters (segments, P), di (segments, samples) -> saved (segments, S), out (segments, samples).
 * Returns 0, or -1 if this network has no native kernel. */
int tubetwin_training_forward(const tubetwin_training_job* job, const float* parameters, const float* di,
                              float* saved, float* out);

/* dout (segments, samples), zero where the history is incomplete -> dparameters (segments, P).
 * Returns 0, -1 as above, or -2 if there is no memory. */
int tubetwin_training_backward(const tubetwin_training_job* job, const float* parameters, const float* di,
                               const float* saved, const float* dout, float* dparameters);

#ifdef __cplusplus
}
#endif
#endif
