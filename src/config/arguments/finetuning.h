#pragma once

#include "config/argument.h"

namespace primus::config::table {

/// Fine-tuning.
// clang-format off: one row is one line, or a few.
inline constexpr Argument finetuning_arguments[] = {
    {"enable_packed_sequences", boolean, "false", finetuning, "Pack several samples into one sequence."},
    {"hf_path", text, "null", finetuning, "Hugging Face model to fine-tune.", {.null = true}},
    {"lora", map, "null", finetuning, "Settings of low-rank adapters.", {.null = true}},
    {"sft", boolean, "false", finetuning, "Fine-tune on conversations."},
    {"sft_bridge_compat_inline_bos", boolean, "false", finetuning,
     "Put the start token where Megatron Bridge has it."},
    {"sft_conversation_format", text, "null", finetuning, "Format of the conversations.", {.null = true}},
    {"sft_dataset_name", text, "null", finetuning, "Data set of conversations.", {.null = true}},
    {"sft_dataset_split", text, "null", finetuning, "Split of the conversations.", {.null = true}},
    {"sft_sanitize_nan_grads", boolean, "false", finetuning, "Replace gradients that are not finite by 0."},
    {"sft_tokenizer_prompt_format", text, "nemotron-h-aligned", finetuning,
     "Prompt format of the tokenizer for conversations."},
    {"stage", text, "null", only("pretrain|null", finetuning.reason), "What a trainer does: pretrain or sft.",
     {.null = true}},
    {"use_packed_attention", boolean, "false", finetuning, "Keep packed samples apart in attention."},
};
// clang-format on

}  // namespace primus::config::table
