#pragma once

#include "config/argument.h"

namespace primus::config::table {

/// Multi-token prediction.
inline constexpr Argument multi_token_prediction_arguments[] = {
    {"mtp_hybrid_override_pattern", text, "null", not_yet, "Mtp hybrid override pattern.", {.null = true}},
    {"mtp_layer_type", text, "null", not_yet, "Mtp layer type.", {.null = true}},
    {"mtp_loss_scaling_factor", number, "0.1", not_yet, "Mtp loss scaling factor."},
    {"mtp_num_layers", integer, "null", not_yet, "Mtp num layers.", {.null = true}},
    {"mtp_standalone", boolean, "false", not_yet, "Mtp standalone."},
    {"mtp_use_repeated_layer", boolean, "false", not_yet, "Mtp use repeated layer."},
    {"mtp_use_separate_hc_head", boolean, "false", not_yet, "Mtp use separate hc head."},
    {"num_nextn_predict_layers", integer, "null", not_yet, "Num nextn predict layers.", {.null = true}},
};

}  // namespace primus::config::table
