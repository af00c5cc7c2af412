#include "model/forward_context.h"

#include <fmt/format.h>

#include "kernels/random.h"

namespace primus::model {

kernels::DropoutKey ForwardContext::dropout_key(std::int64_t layer, const std::string& site,
                                                std::int64_t columns) const {
  const kernels::RandomStream stream(seed, fmt::format("dropout/{}/{}/{}", step, layer, site));
  return {stream.key, token_index, 0, columns};
}

}  // namespace primus::model
