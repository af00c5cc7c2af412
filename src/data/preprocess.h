#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "data/documents.h"
#include "tokenizer/tokenizer.h"

namespace primus::data {

struct PreprocessOptions {
  std::vector<std::string> inputs;
  DocumentFormat format = DocumentFormat::automatic;
  /// Of JSON lines: each key becomes a dataset `<output_prefix>_<key>_document`. Plain text counts as "text".
  std::vector<std::string> json_keys = {"text"};
  std::string output_prefix;
  bool append_eod = false;
  /// Leave documents out that cannot be read or tokenized, instead of stopping at the first.
  bool skip_bad = false;
  int workers = 1;
  /// `on_progress` is called after every so many documents.
  std::int64_t log_interval = 1000;
};

struct PreprocessProgress {
  std::int64_t documents = 0;
  std::int64_t bytes = 0;
};

/// One dataset that was written.
struct PreprocessOutput {
  std::string prefix;
  std::int64_t documents = 0;
  std::int64_t tokens = 0;
};

struct PreprocessReport {
  std::vector<PreprocessOutput> outputs;
  SkippedDocuments skipped;
};

/// Tokenizes documents into datasets that training reads: Megatron's tools/preprocess_data.py. A text is one
/// sequence, a list of texts a document of several; one without tokens adds a document of none. The result
/// does not depend on the number of workers, documents keep their order, and the files appear only when
/// complete. Throws UserError with file and line for bad input.
PreprocessReport preprocess(const tokenizer::Tokenizer& tokenizer, const PreprocessOptions& options,
                            const std::function<void(const PreprocessProgress&)>& on_progress = {});

}  // namespace primus::data
