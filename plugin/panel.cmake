# The plugins with a window: the same sources and a panel, drawn with DGL (of DPF) and NanoVG on OpenGL and X11.
find_package(PkgConfig REQUIRED)
pkg_check_modules(TUBETWIN_SCREEN REQUIRED IMPORTED_TARGET gl x11)
set(TUBETWIN_FONTS /usr/share/fonts/truetype/liberation2 CACHE PATH "Where the Liberation 2 fonts lie")
if(NOT EXISTS ${TUBETWIN_FONTS}/LiberationSans-Regular.ttf)
  message(FATAL_ERROR "no fonts in ${TUBETWIN_FONTS}: install fonts-liberation2, or set TUBETWIN_FONTS")
endif()

set(dgl ${TUBETWIN_DPF}/dgl/src)
add_library(dgl OBJECT ${dgl}/Application.cpp ${dgl}/ApplicationPrivateData.cpp ${dgl}/Color.cpp
  ${dgl}/EventHandlers.cpp ${dgl}/Geometry.cpp ${dgl}/Layout.cpp ${dgl}/NanoVG.cpp ${dgl}/OpenGL.cpp
  ${dgl}/SubWidget.cpp ${dgl}/SubWidgetPrivateData.cpp ${dgl}/TopLevelWidget.cpp
  ${dgl}/TopLevelWidgetPrivateData.cpp ${dgl}/Widget.cpp ${dgl}/WidgetPrivateData.cpp ${dgl}/Window.cpp
  ${dgl}/WindowPrivateData.cpp ${dgl}/ImageBase.cpp ${dgl}/pugl.cpp)
set(screen HAVE_DGL HAVE_X11 HAVE_OPENGL DGL_OPENGL DGL_NO_SHARED_RESOURCES)
target_include_directories(dgl SYSTEM PRIVATE ${TUBETWIN_DPF}/dgl ${dgl} ${dgl}/pugl-upstream/include)
target_compile_definitions(dgl PRIVATE ${screen} DONT_SET_USING_DGL_NAMESPACE)
target_compile_options(dgl PRIVATE -w -fdata-sections -ffunction-sections)
target_link_libraries(dgl PRIVATE PkgConfig::TUBETWIN_SCREEN)

add_library(panel_fonts OBJECT panel_fonts.cpp)
target_compile_definitions(panel_fonts PRIVATE TUBETWIN_FONTS="${TUBETWIN_FONTS}")

add_custom_target(panels)
foreach(format VST3 LV2 CLAP)
  foreach(sides 1 2)
    string(TOLOWER panel_${format}_${sides} name)
    tubetwin_plugin(${name} ${format} ${sides} panel.cpp ${TUBETWIN_DPF}/distrho/DistrhoUIMain.cpp
      $<TARGET_OBJECTS:dgl> $<TARGET_OBJECTS:panel_fonts>)
    set_target_properties(${name} PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${TUBETWIN_PLUGIN_DIR}/panel)
    target_compile_definitions(${name} PRIVATE TUBETWIN_PANEL ${screen})
    target_include_directories(${name} SYSTEM PRIVATE ${TUBETWIN_DPF}/dgl)
    target_link_libraries(${name} PRIVATE PkgConfig::TUBETWIN_SCREEN)
    add_dependencies(panels ${name})
  endforeach()
endforeach()
set_source_files_properties(${TUBETWIN_DPF}/distrho/DistrhoUIMain.cpp PROPERTIES COMPILE_OPTIONS -w)

add_executable(panel_host tests/panel_host.cpp)
target_include_directories(panel_host SYSTEM PRIVATE ${TUBETWIN_DPF}/distrho/src)
target_link_libraries(panel_host PRIVATE PkgConfig::TUBETWIN_SCREEN ${CMAKE_DL_LIBS})
add_dependencies(panels panel_host)

set(TUBETWIN_FONTS_LICENCE /usr/share/doc/fonts-liberation2/copyright CACHE FILEPATH "The fonts' licence")
file(READ ${TUBETWIN_PLUGIN_DIR}/LICENCES.txt text)
set(licences ${TUBETWIN_PLUGIN_DIR}/panel/LICENCES.txt)
file(WRITE ${licences} "${text}")
tubetwin_licence(${licences} "pugl, which opens the window" ${dgl}/pugl-upstream/COPYING)
tubetwin_licence(${licences} "NanoVG, which draws" ${dgl}/nanovg/LICENSE.txt)
tubetwin_licence(${licences} "In NanoVG: UTF-8, Copyright (c) 2008-2010 Bjoern Hoehrmann; terms as tubetwin's")
tubetwin_licence(${licences} "sofd, which asks for files" ${TUBETWIN_DPF}/distrho/extra/sofd/libsofd.c)
tubetwin_licence(${licences} "The Liberation fonts" ${TUBETWIN_FONTS_LICENCE})
