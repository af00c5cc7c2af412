#include "data/preprocess.h"

#include <algorithm>
#include <filesystem>
#include <future>
#include <queue>
#include <thread>

#include "core/file.h"
#include "data/indexed_writer.h"

namespace primus::data {

namespace {

using tokenizer::TokenId;
using tokenizer::Tokenizer;

/// Documents that one task tokenizes; large enough that handing them over costs nothing.
struct Chunk {
  std::vector<RawDocument> documents;
  DocumentFormat format = DocumentFormat::lines;
  std::int64_t bytes = 0;
};

constexpr std::int64_t chunk_bytes = 1 << 18;

/// Under one key of a document: the ids of each of its texts that has any.
using Sequences = std::vector<std::vector<TokenId>>;

/// What became of a chunk.
struct Encoded {
  std::vector<std::vector<Sequences>> documents;  ///< by document and key
  SkippedDocuments skipped;
};

Sequences encode_texts(const Tokenizer& tokenizer, const std::vector<std::string>& texts, bool append_eod) {
  Sequences sequences;
  for (const std::string& text : texts) {
    auto ids = tokenizer.encode(text);
    if (!ids.empty()) sequences.push_back(std::move(ids));
  }
  if (append_eod && !sequences.empty()) sequences.back().push_back(*tokenizer.eod());
  return sequences;
}

std::vector<Sequences> encode_document(const Tokenizer& tokenizer, const PreprocessOptions& options,
                                       const RawDocument& document, DocumentFormat format) {
  std::vector<Sequences> keys;
  for (const auto& texts : document_texts(document, format, options.json_keys))
    keys.push_back(blame(document.where, [&] { return encode_texts(tokenizer, texts, options.append_eod); }));
  return keys;
}

Encoded encode(const Tokenizer& tokenizer, const PreprocessOptions& options, const Chunk& chunk) {
  Encoded result;
  for (const RawDocument& document : chunk.documents) {
    try {
      result.documents.push_back(encode_document(tokenizer, options, document, chunk.format));
    } catch (const UserError& error) {
      if (!options.skip_bad) throw;
      result.skipped.add(error.what());
    }
  }
  return result;
}

/// Reads all inputs, one after the other, in chunks.
class ChunkReader {
 public:
  explicit ChunkReader(const PreprocessOptions& options) : options_(options) {}

  std::optional<Chunk> next() {
    Chunk chunk;
    while (chunk.bytes < chunk_bytes && (reader_ || open())) {
      chunk.format = reader_->format();
      auto document = reader_->next();
      if (!document) {
        reader_.reset();
        if (!chunk.documents.empty()) break;
        continue;
      }
      chunk.bytes += static_cast<std::int64_t>(document->content.size()) + 1;
      chunk.documents.push_back(std::move(*document));
    }
    return chunk.documents.empty() ? std::nullopt : std::optional(std::move(chunk));
  }

 private:
  bool open() {
    if (next_input_ == options_.inputs.size()) return false;
    reader_ = std::make_unique<DocumentReader>(options_.inputs[next_input_++], options_.format);
    return true;
  }

  const PreprocessOptions& options_;
  std::size_t next_input_ = 0;
  std::unique_ptr<DocumentReader> reader_;
};

/// The datasets being written, one per key, and the progress.
class Output {
 public:
  Output(const PreprocessOptions& options, std::int64_t vocab_size,
         const std::function<void(const PreprocessProgress&)>& on_progress)
      : options_(options), on_progress_(on_progress) {
    for (const std::string& key : options.json_keys) {
      prefixes_.push_back(fmt::format("{}_{}_document", options.output_prefix, key));
      writers_.push_back(
          std::make_unique<IndexedDatasetWriter>(prefixes_.back(), token_type_for(vocab_size)));
    }
  }

  void add(const Encoded& encoded, std::int64_t bytes) {
    for (const std::vector<Sequences>& document : encoded.documents) {
      for (std::size_t k = 0; k < document.size(); ++k) {
        for (const auto& sequence : document[k]) writers_[k]->add_item(sequence);
        writers_[k]->end_document();
      }
      ++progress_.documents;
      if (on_progress_ && progress_.documents % options_.log_interval == 0) on_progress_(progress_);
    }
    progress_.bytes += bytes;
    skipped_.add(encoded.skipped);
  }

  PreprocessReport finish() {
    PreprocessReport report{{}, skipped_};
    if (std::ranges::all_of(writers_, [](const auto& writer) { return writer->token_count() == 0; }))
      throw_user_error("no document with text was found for {}; nothing was written{}", prefixes_.front(),
                       skipped_.count == 0 ? "" : ". " + to_string(skipped_));
    for (std::size_t k = 0; k < writers_.size(); ++k) {
      writers_[k]->finish();
      report.outputs.push_back({prefixes_[k], writers_[k]->document_count(), writers_[k]->token_count()});
    }
    return report;
  }

 private:
  const PreprocessOptions& options_;
  const std::function<void(const PreprocessProgress&)>& on_progress_;
  std::vector<std::string> prefixes_;
  std::vector<std::unique_ptr<IndexedDatasetWriter>> writers_;
  PreprocessProgress progress_;
  SkippedDocuments skipped_;
};

void check_options(const Tokenizer& tokenizer, const PreprocessOptions& options) {
  if (options.inputs.empty()) throw UserError("no input files");
  if (options.json_keys.empty()) throw UserError("no JSON keys");
  for (auto key = options.json_keys.begin(); key != options.json_keys.end(); ++key) {
    if (std::find(options.json_keys.begin(), key, *key) != key)
      throw_user_error("the JSON key \"{}\" is given twice", *key);
  }
  if (options.workers < 1)
    throw_user_error("the number of workers must be positive, not {}", options.workers);
  if (options.log_interval < 1)
    throw_user_error("the log interval must be positive, not {}", options.log_interval);
  if (options.append_eod) require_eod(tokenizer, "append_eod");
  for (const std::string& input : options.inputs) {
    if (input != "-" && !std::filesystem::exists(input))
      throw_user_error("input file {} does not exist", input);
    // What a file is shall not be found out when those before it have been read. A pipe can be opened only
    // once.
    if (std::filesystem::is_regular_file(input)) DocumentReader(input, options.format);
  }
}

}  // namespace

PreprocessReport preprocess(const Tokenizer& tokenizer, const PreprocessOptions& options,
                            const std::function<void(const PreprocessProgress&)>& on_progress) {
  check_options(tokenizer, options);
  const std::filesystem::path directory = std::filesystem::path(options.output_prefix).parent_path();
  if (!directory.empty()) make_directories(directory);
  ChunkReader reader(options);
  Output output(options, tokenizer.vocab_size(), on_progress);

  struct Pending {
    std::future<Encoded> encoded;
    std::int64_t bytes;
  };
  std::queue<Pending> pending;
  const auto collect = [&] {
    output.add(pending.front().encoded.get(), pending.front().bytes);
    pending.pop();
  };
  // Chunks are encoded side by side and collected in order; a few wait so that no worker idles.
  const std::size_t in_flight = static_cast<std::size_t>(options.workers);
  while (auto chunk = reader.next()) {
    if (pending.size() == in_flight) collect();
    const std::int64_t bytes = chunk->bytes;
    pending.push(
        {std::async(std::launch::async, encode, std::cref(tokenizer), std::cref(options), std::move(*chunk)),
         bytes});
  }
  while (!pending.empty()) collect();
  return output.finish();
}

}  // namespace primus::data
