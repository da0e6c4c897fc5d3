// What DPF, the plugin framework, wants to know when it compiles plugin.cpp; CMakeLists.txt says for how many sides.
#pragma once

// A stand-in of the right length: tubetwin export-plugin writes each amp's own digits over these.
#define TUBETWIN_PLUGIN_ID "tubetwin:amp:0000000000000000"

#define DISTRHO_PLUGIN_BRAND "tubetwin"
#define DISTRHO_PLUGIN_NAME "tubetwin"
#define DISTRHO_PLUGIN_URI "urn:" TUBETWIN_PLUGIN_ID
#define DISTRHO_PLUGIN_CLAP_ID TUBETWIN_PLUGIN_ID
#ifndef TUBETWIN_PANEL
#define DISTRHO_PLUGIN_HAS_UI 0
#else
#define DISTRHO_PLUGIN_HAS_UI 1
#define DISTRHO_PLUGIN_WANT_DIRECT_ACCESS 1  // or VST3 would have a second amp, for the window
#define DISTRHO_UI_USE_NANOVG 1
#define DISTRHO_UI_USER_RESIZABLE 1
#endif
#define DISTRHO_PLUGIN_IS_RT_SAFE 1
#define DISTRHO_PLUGIN_NUM_INPUTS TUBETWIN_SIDES
#define DISTRHO_PLUGIN_NUM_OUTPUTS TUBETWIN_SIDES
#define DISTRHO_PLUGIN_WANT_LATENCY 1
#define DISTRHO_PLUGIN_WANT_PROGRAMS 1
#define DISTRHO_PLUGIN_WANT_STATE 1
#define DISTRHO_PLUGIN_WANT_FULL_STATE 1  // hosts save the twin itself, not where it lies
#define DISTRHO_PLUGIN_LV2_CATEGORY "lv2:SimulatorPlugin"
#define DISTRHO_PLUGIN_VST3_CATEGORIES "Fx|Distortion"
#if TUBETWIN_SIDES == 1
#define DISTRHO_PLUGIN_CLAP_FEATURES "audio-effect", "distortion", "mono"
#else
#define DISTRHO_PLUGIN_CLAP_FEATURES "audio-effect", "distortion", "stereo"
#endif
