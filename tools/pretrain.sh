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

# The folder that the configuration's defaults and environment name.
run=${PRIMUS_WORKSPACE:-./output}/${PRIMUS_TEAM:-amd}/${PRIMUS_USER:-root}/${PRIMUS_EXP_NAME:-llama_tiny-pretrain}
step "The same held-out text under an interpolated bigram model of the training tokens (nats per token)"
bigram=$($cli data bigram --config "$config")
printf '%s\n' "$bigram"
python3 - "$run/metrics.jsonl" "$bigram" <<'PYTHON'
import json, sys
losses = [line["lm_loss"] for line in map(json.loads, open(sys.argv[1])) if line.get("evaluation") == "valid"]
bigram = json.loads(sys.argv[2])["bigram_loss"]
print(f"validation loss: model {losses[-1]:.3f}, bigram {bigram:.3f}, difference {bigram - losses[-1]:+.3f}")
PYTHON

step "A sample written by the model"
$cli generate --load "$run/checkpoints" --prompt "And the LORD said unto" --max_new_tokens 60 --temperature 0.8 --seed 1
printf '\nEverything of this run is in %s\n' "$run"
