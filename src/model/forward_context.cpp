#include "model/forward_context.h"

#include <fmt/format.h>

#include "kernels/random.h"

namespace primus::model {

kernels::DropoutKey ForwardContext::dropout_key(std::int64_t layer, const std::string& site,
                                                std::int64_t columns) const {
  const kernels::RandomStream stream(seed, fmt::format("dropout/{}/{}/{}", step, layer, site));
  return {stream.key, token_index, 0, columns};
}

kernels::DropoutKey ForwardContext::hidden_dropout_key(std::int64_t layer, const std::string& site,
                                                       std::int64_t columns) const {
  kernels::DropoutKey key = dropout_key(layer, site, columns);
  key.token_index = hidden_token_index;
  return key;
}

}  // namespace primus::model
