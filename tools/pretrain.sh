#!/usr/bin/env bash
# From nothing to a trained model: corpus, tokenizer, token file, training, a sample. Arguments go to the training.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

config=examples/megatron/configs/CPU/llama_tiny-pretrain.yaml
data=data/bible
cli=./primus-cli

step() { printf '\n== %s\n' "$*" >&2; }

if [ ! -e "$data/corpus.jsonl" ]; then
  step "Corpus: the King James Bible, a chapter a document"
  mkdir -p "$data"
  bible -f gen1:1-rev22:21 | tools/bible_to_jsonl.py > "$data/corpus.jsonl.tmp"
  mv "$data/corpus.jsonl.tmp" "$data/corpus.jsonl"
fi
if [ ! -e "$data/tokenizer.json" ]; then
  step "Tokenizer: byte-level BPE with 4,096 entries"
  $cli tokenizer train --input "$data/corpus.jsonl" --json_key text --vocab_size 4096 --output "$data"
fi
if [ ! -e "$data/bible_text_document.idx" ]; then
  step "Token file in Megatron's format"
  $cli data preprocess --input "$data/corpus.jsonl" --output_prefix "$data/bible" \
    --tokenizer_type HuggingFaceTokenizer --tokenizer_model "$data/tokenizer.json" --append_eod
fi

step "Training"
$cli train pretrain --config "$config" "$@"

run=output/amd/root/llama_tiny-pretrain
step "The same held-out text under an interpolated bigram model of the training tokens (nats per token)"
$cli data bigram --config "$config"

step "A sample written by the model"
$cli generate --load "$run/checkpoints" --prompt "And the LORD said unto" --max_new_tokens 60 --temperature 0.8 --seed 1
printf '\nEverything of this run is in %s\n' "$run"
