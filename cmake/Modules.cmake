# primus_module(NAME PLAIN|TENSORS [LIBRARIES ...] [WITHOUT FOLDER ...])
#
# Makes the static library primus_NAME from src/NAME/**/*.cpp. It links the module declared before it, and through
# it all modules above. A PLAIN module never sees libtorch's include folder; a TENSORS module does, through one
# precompiled header that all of them share. With CMAKE_UNITY_BUILD the files of a module are compiled six at a time:
# half of each file's time and more is what the headers of libtorch, JSON and the standard library instantiate.
# WITHOUT names folders of the module that are left out: of two folders that define the same, the build takes one.

set(PRIMUS_PREVIOUS_MODULE "")

function(primus_tensor_precompiled_header)
  file(WRITE "${PROJECT_BINARY_DIR}/pch.cpp.in" "// Owner of the precompiled header of all tensor modules.\n")
  configure_file("${PROJECT_BINARY_DIR}/pch.cpp.in" "${PROJECT_BINARY_DIR}/tensor_pch.cpp" COPYONLY)
  add_library(primus_tensor_pch OBJECT "${PROJECT_BINARY_DIR}/tensor_pch.cpp")
  set_target_properties(primus_tensor_pch PROPERTIES UNITY_BUILD OFF)
  target_link_libraries(primus_tensor_pch PRIVATE primus_options primus::torch fmt::fmt)
  target_include_directories(primus_tensor_pch PRIVATE "${PROJECT_SOURCE_DIR}/src" "${PROJECT_SOURCE_DIR}/cmake")
  # Named in angle brackets, or CMake writes this folder's path into it and ccache serves this folder alone.
  target_precompile_headers(primus_tensor_pch PRIVATE "<tensor_pch.h>")
endfunction()

function(primus_module name kind)
  cmake_parse_arguments(MODULE "" "" "LIBRARIES;WITHOUT" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/src/${name}/*.cpp")
  list(FILTER sources EXCLUDE REGEX "/isa/[^/]*$")  # built by primus_isa_sources
  foreach(folder ${MODULE_WITHOUT})
    list(FILTER sources EXCLUDE REGEX "/${name}/${folder}/")
  endforeach()
  set(target primus_${name})
  if(sources)
    add_library(${target} STATIC ${sources})
    set(scope PUBLIC)
    target_link_libraries(${target} PRIVATE primus_options)
  else()
    add_library(${target} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_include_directories(${target} ${scope} "${PROJECT_SOURCE_DIR}/src")
  target_link_libraries(${target} ${scope} ${PRIMUS_PREVIOUS_MODULE} ${MODULE_LIBRARIES})
  if(kind STREQUAL "TENSORS")
    target_link_libraries(${target} ${scope} primus::torch primus::torch_fmt)
    if(sources)
      if(NOT TARGET primus_tensor_pch)
        primus_tensor_precompiled_header()
      endif()
      target_precompile_headers(${target} REUSE_FROM primus_tensor_pch)
    endif()
  endif()
  set(PRIMUS_PREVIOUS_MODULE ${target} PARENT_SCOPE)
endfunction()
