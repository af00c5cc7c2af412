#pragma once

#include <cctype>
#include <cstddef>
#include <string_view>

namespace primus::config {

/// A place in a text that is read from left to right; what the parsers of small expressions share.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  /// Steps over `c`, and blanks in front of it, if it comes next.
  bool take(char c) {
    skip_blanks();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  /// Whether nothing but blanks is left.
  bool at_end() {
    skip_blanks();
    return at_ == text_.size();
  }

  /// What is left, without the blanks that it begins with.
  std::string_view rest() {
    skip_blanks();
    return text_.substr(at_);
  }

  void skip(std::size_t characters) { at_ += characters; }
  std::string_view whole_text() const { return text_; }

 private:
  void skip_blanks() {
    while (at_ < text_.size() && std::isspace(static_cast<unsigned char>(text_[at_]))) ++at_;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace primus::config
