// primus-cli generate: continues a text.
#include <fmt/format.h>

#include <cstdio>
#include <memory>

#include "cli/commands.h"
#include "cli/model_directory.h"
#include "cli/tokenizer_options.h"
#include "core/error.h"
#include "model/generation.h"

namespace primus::cli {

namespace {

struct GenerateOptions {
  std::string load;
  OpenOptions open;
  std::string prompt;
  bool greedy = false;
  model::GenerationOptions generation;
  /// Without a type or a model of its own, what the model says about its tokenizer is taken.
  tokenizer::TokenizerOptions tokenizer = default_tokenizer_options();
};

/// Prints text as it grows, but never half a character.
class TextStream {
 public:
  explicit TextStream(const tokenizer::Tokenizer& tokenizer) : tokenizer_(tokenizer) {}

  void add(std::int64_t token) {
    tokens_.push_back(static_cast<tokenizer::TokenId>(token));
    const std::string text = tokenizer_.decode(tokens_);
    const std::size_t whole = whole_characters(text);
    if (whole <= printed_) return;
    std::fwrite(text.data() + printed_, 1, whole - printed_, stdout);
    std::fflush(stdout);
    printed_ = whole;
  }

  /// What an unfinished character at the end leaves over, and the end of the line.
  void finish() {
    const std::string text = tokenizer_.decode(tokens_);
    if (text.size() > printed_) std::fwrite(text.data() + printed_, 1, text.size() - printed_, stdout);
    std::fputc('\n', stdout);
  }

 private:
  /// Length of the text without a UTF-8 sequence that is cut off at its end.
  static std::size_t whole_characters(const std::string& text) {
    std::size_t last = text.size();
    while (last > 0 && text.size() - last < 3 && (text[last - 1] & 0xC0) == 0x80) --last;
    if (last == 0) return text.size();
    const auto lead = static_cast<unsigned char>(text[last - 1]);
    const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 1;
    return last - 1 + length > text.size() ? last - 1 : text.size();
  }

  const tokenizer::Tokenizer& tokenizer_;
  std::vector<tokenizer::TokenId> tokens_;
  std::size_t printed_ = 0;
};

std::unique_ptr<tokenizer::Tokenizer> open_tokenizer(const GenerateOptions& options,
                                                     const ModelDirectory& source) {
  const bool given =
      !options.tokenizer.model.empty() || options.tokenizer.type != default_tokenizer_options().type;
  if (given) return make_tokenizer_for(source, options.tokenizer);
  if (!source.tokenizer) {
    throw_user_error("{}: does not name the model's tokenizer; give one with --tokenizer_model",
                     source.path.string());
  }
  return make_tokenizer_for(source, *source.tokenizer);
}

void generate(GenerateOptions options) {
  if (options.greedy) options.generation.sampling.temperature = 0.0;
  model::check(options.generation.sampling);
  const ModelDirectory source = open_model(options.load, options.open);
  const auto tokenizer = open_tokenizer(options, source);
  const std::vector<tokenizer::TokenId> encoded = tokenizer->encode(options.prompt);
  const std::vector<std::int64_t> prompt(encoded.begin(), encoded.end());
  model::check_prompt(source.config, prompt);
  const auto model = load_model(source);
  print_warnings(source.warnings);
  if (const auto eos = tokenizer->eos()) options.generation.end_token = *eos;
  options.generation.vocab_size = tokenizer->vocab_size();
  TextStream stream(*tokenizer);
  for (const std::int64_t token : prompt) stream.add(token);
  model::generate(*model, prompt, options.generation, [&](std::int64_t token) { stream.add(token); });
  stream.finish();
}

}  // namespace

void add_generate(CLI::App& program) {
  CLI::App* app = program.add_subcommand("generate", "Continue a text with a trained model");
  const auto options = std::make_shared<GenerateOptions>();
  model::SamplingOptions& sampling = options->generation.sampling;
  app->add_option("--load", options->load,
                  "A folder of checkpoints, one checkpoint, or a Hugging Face directory")
      ->required();
  app->add_option("--iteration", options->open.iteration, "Which checkpoint; default: the latest");
  add_ignore_keys(*app, options->open);
  app->add_option("--prompt", options->prompt, "The text to continue")->required();
  app->add_option("--max_new_tokens,--max-new-tokens", options->generation.max_new_tokens,
                  "How many tokens to generate")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app->add_flag("--greedy", options->greedy, "Always take the most probable token");
  app->add_option("--temperature", sampling.temperature,
                  "Above 1 gives more varied text; 0 is the same as --greedy")
      ->capture_default_str();
  app->add_option("--top_k,--top-k", sampling.top_k, "Sample from this many most probable tokens; 0: all")
      ->capture_default_str();
  app->add_option("--top_p,--top-p", sampling.top_p,
                  "Sample from the most probable tokens whose probabilities add up to this")
      ->capture_default_str();
  app->add_option("--seed", sampling.seed, "The same seed gives the same text")->capture_default_str();
  add_tokenizer_options(*app, options->tokenizer);
  app->callback([options] { generate(*options); });
}

}  // namespace primus::cli
