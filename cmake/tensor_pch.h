// Precompiled once for all tensor modules. Only what most of their files include belongs here.
#pragma once

#include <ATen/Functions.h>
#include <ATen/core/Tensor.h>
#include <fmt/format.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>
