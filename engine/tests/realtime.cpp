// The laws of real time: what an audio thread must never do, each with proof that its alarm rings.
#include <pthread.h>
#include <unistd.h>

#include <memory>
#include <stdexcept>
#include <vector>

#include "alarm.h"
#include "check.h"
#include "dispatch.h"
#include "made.h"
#include "sound.h"
#include "tubetwin/player.h"

#if defined(__linux__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#define TUBETWIN_JAIL
#endif

using namespace tubetwin;

TEST(the_alarm_rings) {
  const auto rings = [](auto forbidden) {
    alarm_bell::start();
    forbidden();
    return alarm_bell::stop() > 0;
  };
  volatile std::size_t size = 100;
  void* volatile memory = nullptr;
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  CHECK(rings([&] { memory = std::malloc(size); }));
  CHECK(rings([&] { std::free(memory); }));
  CHECK(rings([&] { memory = ::operator new(size); }));
  CHECK(rings([&] { ::operator delete(memory); }));
  CHECK(rings([&] { memory = ::operator new(size, std::align_val_t(64)); }));
  CHECK(rings([&] { ::operator delete(memory, std::align_val_t(64)); }));
  CHECK(rings([&] { pthread_mutex_lock(&mutex); }));
  CHECK(rings([&] { CHECK(write(STDOUT_FILENO, "", 0) == 0); }));
  CHECK(rings([] {
    try {
      throw std::runtime_error("");
    } catch (const std::runtime_error&) {
    }
  }));
  CHECK(!rings([] {}));
}

// Everything that happens to a player while it plays: knobs, loads, gains, bypass, a reset.
static void playThroughEverything(Player& player, const Sound& di, Sound& out) {
  const int count = static_cast<int>(di.size());
  for (int t = 0; t + 100 <= count; t += 100) {
    player.setKnob(t / 100 % 4, static_cast<float>(t % 1000) / 1000);
    player.setKnob(t / 100 % 3, static_cast<float>(t % 900) / 900, t % 100);
    player.setBypass(t % 3000 < 500);
    player.setCabinet(t % 2000 < 1000);
    player.setInput(static_cast<float>(t % 7));
    player.setOutput(static_cast<float>(t % 5));
    player.setGate(static_cast<float>(-60 - t % 9));
    player.process(di.data() + t, out.data() + t, 100);
  }
  player.reset();
  player.process(di.data(), out.data(), count / 10);
}

TEST(process_neither_allocates_nor_frees_nor_locks_nor_writes_nor_throws) {
  const Sound response = decaying(6000), di = made::di(6000);
  for (const Kernels* kernels : kernelsHere())
    for (const Twin& twin : twins()) {
      Player player(twin, *kernels);
      player.loadCabinet(response.data(), static_cast<int>(response.size()));
      Sound out(di.size());
      alarm_bell::start();
      playThroughEverything(player, di, out);
      CHECK(alarm_bell::stop() == 0);
    }
}

// Ready to swap: another twin and another cabinet wait, and replaced ones lie in the bin.
static std::unique_ptr<Player> aboutToSwap(const Twin& twin, const Kernels& kernels, int hostHz) {
  const Sound response = decaying(6000);
  auto player = std::make_unique<Player>(twin, kernels);
  player->prepare(hostHz, 2);
  for (int i = 0; i < 2; i++) {
    play(*player, made::di(100), 0);
    player->loadTwin(i ? made::twin(made::nano()) : twin);
    player->loadCabinet(response.data(), 3000 * (i + 1));
    if (i == 0) player->reset();
  }
  return player;
}

TEST(a_swap_a_ramp_and_a_reset_neither_allocate_nor_free_nor_lock_nor_throw) {
  for (const Kernels* kernels : kernelsHere())
    for (const int host : {48000, 44100}) {
      const auto player = aboutToSwap(made::twin(made::standard()), *kernels, host);
      const Sound di = made::di(20000);
      Sound out(di.size());
      alarm_bell::start();
      playThroughEverything(*player, di, out);
      CHECK(alarm_bell::stop() == 0);
      CHECK(!player->waits());
    }
}

#ifdef TUBETWIN_JAIL
// Runs work() in a child that the kernel kills at any system call; whether the child lived.
template <class Work>
static bool livesInJail(const Work& work) {
  std::fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) == 0) work();
    syscall(SYS_exit, 0);
  }
  int status = 1;
  waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST(playing_makes_no_system_call) {
  const Sound di = made::di(20000);
  for (const int host : {48000, 44100}) {
    const auto player = aboutToSwap(made::twin(made::lite()), chosenKernels(), host);
    Sound out(di.size());
    CHECK(livesInJail([&] { playThroughEverything(*player, di, out); }));
  }
  CHECK(!livesInJail([] { getppid(); }));  // the jail is real
}
#endif
