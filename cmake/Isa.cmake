# primus_isa_sources(MODULE FOLDER)
#
# Compiles src/MODULE/FOLDER/*.cpp once per x86 instruction set and adds the objects to the module's library. Each copy
# defines the explicit specialisations `<PRIMUS_ISA>` of the templates declared in FOLDER's headers; the caller
# picks one at run time (kernels/cpu/features.h). On other machines only the baseline is built.
# CPU_CAPABILITY* select the matching code of ATen's at::vec. (GCC 12 takes its own AVX-512 headers' undefined
# registers for uninitialised variables, hence the disabled warnings; what it says of its ABI concerns no other compiler's
# objects here.)

function(primus_isa_sources module folder)
  file(GLOB sources CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/src/${module}/${folder}/*.cpp")
  set(levels baseline)
  if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    list(APPEND levels avx2 avx512_bf16)
  endif()
  set(avx2_options -mavx2 -mfma -mf16c -DCPU_CAPABILITY=AVX2 -DCPU_CAPABILITY_AVX2)
  set(avx512_bf16_options -mavx2 -mfma -mf16c -mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512bf16 -mprefer-vector-width=512
      -DCPU_CAPABILITY=AVX512 -DCPU_CAPABILITY_AVX512)
  set(baseline_options -DCPU_CAPABILITY=DEFAULT -DCPU_CAPABILITY_DEFAULT)
  foreach(level ${levels})
    set(target primus_${module}_${level})
    add_library(${target} OBJECT ${sources})
    target_link_libraries(${target} PRIVATE primus_options primus::torch)
    target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}/src")
    target_compile_definitions(${target} PRIVATE PRIMUS_ISA=Isa::${level})
    target_compile_options(${target} PRIVATE -O3 $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized> -Wno-uninitialized -Wno-psabi ${${level}_options})
    target_sources(primus_${module} PRIVATE $<TARGET_OBJECTS:${target}>)
  endforeach()
endfunction()
