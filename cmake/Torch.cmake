# Finds libtorch and offers it as the target `primus::torch`.
#
# TORCH_DIR (cache or environment) is a folder that holds include/ and lib/: the `torch` folder of an
# installed wheel, or an unpacked libtorch. Without it, the wheel in ./.venv (made by tools/setup.sh) is used.
# Torch's own CMake package is not: with a CUDA wheel it wants a CUDA toolkit that linking does not need.

set(TORCH_DIR "" CACHE PATH "Folder with libtorch's include/ and lib/")
if(NOT TORCH_DIR AND DEFINED ENV{TORCH_DIR})
  set_property(CACHE TORCH_DIR PROPERTY VALUE "$ENV{TORCH_DIR}")
endif()
if(NOT TORCH_DIR)
  file(GLOB _wheels "${PROJECT_SOURCE_DIR}/.venv/lib/python3*/site-packages/torch")
  if(_wheels)
    list(GET _wheels 0 TORCH_DIR)
  endif()
endif()
if(NOT EXISTS "${TORCH_DIR}/include/ATen/core/Tensor.h")
  message(FATAL_ERROR "libtorch not found (TORCH_DIR='${TORCH_DIR}'). "
                      "Run tools/setup.sh, or set TORCH_DIR to a folder with libtorch's include/ and lib/.")
endif()

file(STRINGS "${TORCH_DIR}/include/torch/headeronly/version.h" _version_lines REGEX "define TORCH_VERSION_M(AJOR|INOR)")
string(REGEX REPLACE ".*MAJOR ([0-9]+).*MINOR ([0-9]+).*" "\\1.\\2" TORCH_VERSION "${_version_lines}")

add_library(primus_torch INTERFACE)
add_library(primus::torch ALIAS primus_torch)
target_include_directories(primus_torch SYSTEM INTERFACE "${TORCH_DIR}/include" "${TORCH_DIR}/include/torch/csrc/api/include")
target_link_directories(primus_torch INTERFACE "${TORCH_DIR}/lib")
target_link_options(primus_torch INTERFACE "-Wl,-rpath,${TORCH_DIR}/lib" "-Wl,--no-as-needed")
set(_libraries torch torch_cpu c10)
foreach(_gpu_library torch_cuda c10_cuda torch_hip c10_hip)
  if(EXISTS "${TORCH_DIR}/lib/lib${_gpu_library}.so")
    list(APPEND _libraries ${_gpu_library})
  endif()
endforeach()
target_link_libraries(primus_torch INTERFACE ${_libraries})
# c10d's headers hide themselves unless told that they were built.
target_compile_definitions(primus_torch INTERFACE USE_DISTRIBUTED USE_C10D_GLOO)
# Its headers hold a memory fence, which ThreadSanitizer does not know.
if(PRIMUS_SANITIZE MATCHES "thread")
  target_compile_options(primus_torch INTERFACE -Wno-tsan)
endif()

# at::parallel_for is a header's template: compiled without OpenMP it quietly runs everything on one thread. The
# runtime linked is the one that libtorch brings, so that both share one pool of threads. ThreadSanitizer knows
# nothing of OpenMP's barriers and would report every parallel loop; there, our loops stay on one thread. So do those of
# the fuzzer, which clang compiles without an OpenMP of its own.
if(NOT PRIMUS_SANITIZE MATCHES "thread|fuzzer")
  target_compile_options(primus_torch INTERFACE -fopenmp)
  file(GLOB _openmp "${TORCH_DIR}/lib/libgomp*.so*" "${TORCH_DIR}.libs/libgomp*.so*")
  if(_openmp)
    list(GET _openmp 0 _openmp)
    target_link_libraries(primus_torch INTERFACE "${_openmp}")
  else()
    target_link_options(primus_torch INTERFACE -fopenmp)
  endif()
endif()

# NCCL (on AMD's GPUs: RCCL) for tensors on a GPU, when libtorch has it and the headers that its own headers include
# are there: those of NCCL and of the CUDA or ROCm toolkit. PRIMUS_OTHER_NCCL is the folder of src/parallel to leave out.
if(EXISTS "${TORCH_DIR}/lib/libtorch_cuda.so")
  find_path(NCCL_INCLUDE_DIR nccl.h HINTS "${TORCH_DIR}/../nvidia/nccl/include")
  find_path(GPU_INCLUDE_DIR cuda_runtime_api.h
            HINTS "${TORCH_DIR}/../nvidia/cu13/include" "${TORCH_DIR}/../nvidia/cuda_runtime/include"
                  ENV CUDA_HOME PATHS /usr/local/cuda PATH_SUFFIXES include)
elseif(EXISTS "${TORCH_DIR}/lib/libtorch_hip.so")
  find_path(NCCL_INCLUDE_DIR rccl/rccl.h HINTS ENV ROCM_PATH PATHS /opt/rocm PATH_SUFFIXES include)
  find_path(GPU_INCLUDE_DIR hip/hip_runtime.h HINTS ENV ROCM_PATH PATHS /opt/rocm PATH_SUFFIXES include)
  set(_gpu_definitions USE_ROCM __HIP_PLATFORM_AMD__)
endif()
add_library(primus_nccl INTERFACE)
set(PRIMUS_OTHER_NCCL nccl)
if(NCCL_INCLUDE_DIR AND GPU_INCLUDE_DIR)
  target_include_directories(primus_nccl SYSTEM INTERFACE ${NCCL_INCLUDE_DIR} ${GPU_INCLUDE_DIR})
  target_compile_definitions(primus_nccl INTERFACE USE_C10D_NCCL ${_gpu_definitions})
  set(PRIMUS_OTHER_NCCL no_nccl)
endif()

# Tensor modules see libtorch's own fmt headers before Debian's.
add_library(primus_torch_fmt STATIC "${PROJECT_SOURCE_DIR}/cmake/torch_fmt.cpp")
target_link_libraries(primus_torch_fmt PRIVATE primus_torch)
add_library(primus::torch_fmt ALIAS primus_torch_fmt)
message(STATUS "libtorch ${TORCH_VERSION} in ${TORCH_DIR}")
