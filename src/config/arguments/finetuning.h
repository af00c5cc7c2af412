#pragma once

#include "config/argument.h"

namespace primus::config::table {

/// Fine-tuning.
inline constexpr Argument finetuning_arguments[] = {
    {"enable_packed_sequences", boolean, "false", finetuning, "Enable packed sequences."},
    {"lora", map, "null", finetuning, "Lora.", {.null = true}},
    {"sft", boolean, "false", finetuning, "Sft."},
    {"sft_bridge_compat_inline_bos", boolean, "false", finetuning, "Sft bridge compat inline bos."},
    {"sft_conversation_format", text, "null", finetuning, "Sft conversation format.", {.null = true}},
    {"sft_dataset_name", text, "null", finetuning, "Sft dataset name.", {.null = true}},
    {"sft_dataset_split", text, "null", finetuning, "Sft dataset split.", {.null = true}},
    {"sft_sanitize_nan_grads", boolean, "false", finetuning, "Sft sanitize nan grads."},
    {"sft_tokenizer_prompt_format", text, "nemotron-h-aligned", finetuning, "Sft tokenizer prompt format."},
    {"stage", text, "null", finetuning, "Stage.", {.null = true}},
    {"use_packed_attention", boolean, "false", finetuning, "Use packed attention."},
};

}  // namespace primus::config::table
