#pragma once

#include "config/argument.h"

namespace primus::config::table {

/// Multi-head latent attention.
inline constexpr Argument latent_attention_arguments[] = {
    {"dsa_indexer_head_dim", integer, "null", not_yet, "Dsa indexer head dim.", {.null = true}},
    {"dsa_indexer_loss_coeff", number, "null", not_yet, "Dsa indexer loss coeff.", {.null = true}},
    {"dsa_indexer_n_heads", integer, "null", not_yet, "Dsa indexer n heads.", {.null = true}},
    {"dsa_indexer_topk", integer, "null", not_yet, "Dsa indexer topk.", {.null = true}},
    {"dsa_indexer_use_sparse_loss", boolean, "false", not_yet, "Dsa indexer use sparse loss."},
    {"experimental_attention_variant",
     text,
     "null",
     not_yet,
     "Experimental attention variant.",
     {.null = true, .choices = "gated_delta_net|dsa"}},
    {"fused_padded_mla_attention", boolean, "false", gpu_kernels, "Fused padded mla attention."},
    {"kv_lora_rank", integer, "32", not_yet, "Kv lora rank."},
    {"mla_use_nope", boolean, "false", not_yet, "Mla use nope."},
    {"mla_use_output_gate", boolean, "false", not_yet, "Mla use output gate."},
    {"mscale", number, "1.0", not_yet, "Mscale."},
    {"mscale_all_dim", number, "0.0", not_yet, "Mscale all dim.", {.preset = "1.0"}},
    {"multi_latent_attention", boolean, "false", not_yet, "Multi latent attention."},
    {"original_max_position_embeddings",
     integer,
     "null",
     not_yet,
     "Original max position embeddings.",
     {.null = true}},
    {"q_lora_rank", integer, "null", not_yet, "Q lora rank.", {.null = true}},
    {"qk_head_dim", integer, "128", not_yet, "Qk head dim."},
    {"qk_pos_emb_head_dim", integer, "64", not_yet, "Qk pos emb head dim."},
    {"rope_type", text, "null", not_yet, "Rope type.", {.null = true, .choices = "rope|yarn"}},
    {"rotary_scaling_factor", number, "1.0", no_effect("only multi-latent attention reads it"),
     "Rotary scaling factor."},
    {"v_head_dim", integer, "128", not_yet, "V head dim."},
};

}  // namespace primus::config::table
