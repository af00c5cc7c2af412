# Compiler settings that hold for every target: language level, warnings, sanitizers, cache and linker.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CXX_SCAN_FOR_MODULES OFF)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()
# libtorch's inline functions check their arguments with NDEBUG off as well; we keep our own asserts in Debug only.
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O1 -g1")

find_program(CCACHE ccache)
if(CCACHE)
  # A precompiled header is cached only when ccache may ignore the times inside of it.
  set(CMAKE_CXX_COMPILER_LAUNCHER env CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      CCACHE_NOHASHDIR=1 CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} ${CCACHE})
endif()

find_program(MOLD mold)
if(MOLD)
  # mold 1.10, Debian's, can let the read-only part of the data begin within a page when thread-local variables stand
  # just before its boundary; such a program does not start. Whether it does is luck of sizes, so there is no such part.
  add_link_options(-fuse-ld=mold -Wl,-z,norelro)
endif()

# Settings of our own code only (not of headers from elsewhere).
add_library(primus_options INTERFACE)
target_compile_options(primus_options INTERFACE -Wall -Wextra -Wpedantic -Wno-unknown-pragmas
                       -Wno-missing-field-initializers -fpch-preprocess)
# Without it a square root may set errno, and its loop does not become vector code.
target_compile_options(primus_options INTERFACE -fno-math-errno)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # The compiler tidies its memory every 128 MB otherwise, a tenth of the time of a file that sees libtorch.
  target_compile_options(primus_options INTERFACE "SHELL:--param ggc-min-heapsize=1000000")
endif()
if(PRIMUS_WARNINGS_AS_ERRORS)
  target_compile_options(primus_options INTERFACE -Werror)
endif()
if(PRIMUS_SANITIZE)
  target_compile_options(primus_options INTERFACE -fsanitize=${PRIMUS_SANITIZE} -fno-omit-frame-pointer)
  # GCC warns of regular expressions and functions in the standard library once they carry the sanitizers' checks.
  target_compile_options(primus_options INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  # libtorch is built without the sanitizers' RTTI, so vptr checks on its classes are false alarms.
  if(PRIMUS_SANITIZE MATCHES "undefined")
    target_compile_options(primus_options INTERFACE -fno-sanitize=vptr)
  endif()
  target_link_options(primus_options INTERFACE -fsanitize=${PRIMUS_SANITIZE})
endif()
