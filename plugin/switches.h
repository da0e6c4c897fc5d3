// The parameters that every amp has behind its knobs, in the order in which hosts count them.
#pragma once

namespace tubetwin::plugin {

enum Switches { kInput, kOutput, kGate, kCabinet, kBypass, kSwitches };

constexpr float kMostDb = 40;     // docs/presets.md
constexpr float kGateOff = -100;  // dB of full scale; below a guitar's own noise

}  // namespace tubetwin::plugin
