#pragma once

#include "config/argument.h"

namespace primus::config::table {

/// Multi-head latent attention.
// clang-format off: one row is one line, or a few.
inline constexpr Argument latent_attention_arguments[] = {
    {"dsa_indexer_head_dim", integer, "null", not_yet,
     "Width of a head of the indexer in DeepSeek's sparse attention.",
     {.null = true, .when = "experimental_attention_variant=dsa"}},
    {"dsa_indexer_loss_coeff", number, "null", not_yet,
     "Weight of the loss that trains the indexer of sparse attention.",
     {.null = true, .when = "experimental_attention_variant=dsa"}},
    {"dsa_indexer_n_heads", integer, "null", not_yet,
     "Heads of the indexer in DeepSeek's sparse attention.",
     {.null = true, .when = "experimental_attention_variant=dsa"}},
    {"dsa_indexer_topk", integer, "null", not_yet,
     "Tokens that the indexer of sparse attention keeps.",
     {.null = true, .when = "experimental_attention_variant=dsa"}},
    {"dsa_indexer_use_sparse_loss", boolean, "false", not_yet,
     "Train the indexer on the tokens that it kept only.", {.when = "experimental_attention_variant=dsa"}},
    {"experimental_attention_variant", text, "null", not_yet,
     "Attention under trial: gated delta net or DeepSeek's sparse attention.",
     {.null = true, .choices = "gated_delta_net|dsa"}},
    {"fused_padded_mla_attention", boolean, "false", gpu_kernels,
     "Pad the heads of latent attention for a fused GPU kernel."},
    {"kv_lora_rank", integer, "32", not_yet,
     "Width of the latent that keys and values are made from.", {.range = positive}},
    {"mla_use_nope", boolean, "false", not_yet, "Leave rotary embeddings out of latent attention."},
    {"mla_use_output_gate", boolean, "false", not_yet,
     "Multiply the output of latent attention by a learned gate."},
    {"mscale", number, "1.0", not_yet, "Factor of YaRN on the scale of the rotated part."},
    {"mscale_all_dim", number, "0.0", not_yet,
     "Factor of YaRN on the scale of the attention scores.", {.preset = "1.0"}},
    {"multi_latent_attention", boolean, "false", not_yet, "Use DeepSeek's multi-head latent attention."},
    {"original_max_position_embeddings", integer, "null", not_yet,
     "Positions that the model was first trained on, for YaRN.", {.null = true}},
    {"q_lora_rank", integer, "null", not_yet,
     "Width of the latent that queries are made from; null: none.", {.null = true, .range = positive}},
    {"qk_head_dim", integer, "128", not_yet,
     "Width of a head's part without rotary embedding.", {.range = positive}},
    {"qk_pos_emb_head_dim", integer, "64", not_yet,
     "Width of a head's rotated part.", {.range = not_negative}},
    {"rope_type", text, "null", not_yet,
     "Rotary embedding of latent attention: rope or yarn; null: yarn.",
     {.null = true, .choices = "rope|yarn"}},
    {"rotary_scaling_factor", number, "1.0", not_yet,
     "How far YaRN stretches the positions."},
    {"v_head_dim", integer, "128", not_yet, "Width of a value head.", {.range = positive}},
};
// clang-format on

}  // namespace primus::config::table
