#pragma once

#include "config/argument.h"

namespace primus::config::table {

/// Multi-token prediction.
// clang-format off: one row is one line, or a few.
inline constexpr Argument multi_token_prediction_arguments[] = {
    {"mtp_hybrid_override_pattern", text, "null", not_yet,
     "Layer kinds of the extra prediction layers of a hybrid model.",
     {.null = true, .when = "model_type=mamba"}},
    {"mtp_layer_type", text, "null", not_yet, "Kind of the extra prediction layers.", {.null = true}},
    {"mtp_loss_scaling_factor", number, "0.1", not_yet, "Weight of the extra predictions' loss."},
    {"mtp_num_layers", integer, "null", not_yet,
     "Tokens beyond the next that are predicted too, each with a layer of its own; null: none.",
     {.null = true, .range = not_negative}},
    {"mtp_standalone", boolean, "false", not_yet,
     "Give the extra prediction layers a pipeline stage of their own."},
    {"mtp_use_repeated_layer", boolean, "false", not_yet,
     "Use one extra layer again for every further token."},
    {"mtp_use_separate_hc_head", boolean, "false", not_yet,
     "Give the extra layers a hyper-connection head of their own."},
    {"num_nextn_predict_layers", integer, "null", not_yet,
     "mtp_num_layers by Kimi K3's name.", {.null = true, .when = "model_type=kimi_k3"}},
};
// clang-format on

}  // namespace primus::config::table
