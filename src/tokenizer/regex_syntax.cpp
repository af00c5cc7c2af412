#include "tokenizer/regex_syntax.h"

#include <algorithm>
#include <cctype>

#include "core/error.h"
#include "core/utf8.h"
#include "tokenizer/regex_class.h"

namespace primus::tokenizer {

namespace {

class Translator {
 public:
  Translator(std::string_view expression, RegexSyntax syntax)
      : reader_{.text = expression}, syntax_(syntax) {}

  std::string run() {
    alternatives();
    if (!reader_.done()) reader_.refuse("a ) without (");
    return std::move(out_);
  }

 private:
  /// Everything up to the end of the group, or of the expression. Options set inside end with it.
  void alternatives() {
    const bool outer = reader_.ignore_case;
    while (!reader_.done() && reader_.peek() != ')') {
      if (reader_.take("|")) {
        out_ += '|';
        continue;
      }
      const std::size_t begin = out_.size();
      if (atom()) quantifiers(begin);
    }
    reader_.ignore_case = outer;
  }

  /// One atom; false for what stands for nothing, such as a comment or an option.
  bool atom() {
    if (reader_.take("(")) return group();
    if (reader_.take("[")) {
      characters(read_class(reader_));
    } else if (reader_.take("\\")) {
      escape();
    } else if (reader_.take("^")) {
      out_ += "(?m:^)";
    } else if (reader_.take("$")) {
      out_ += "(?m:$)";
    } else if (reader_.take(".")) {
      out_ += '.';
    } else if (std::string_view("*+?").find(reader_.peek()) != std::string_view::npos) {
      reader_.refuse("a quantifier with nothing before it");
    } else {
      literal(decode_utf8(reader_.take_character(), 0).value);
    }
    return true;
  }

  void literal(char32_t character) {
    // Oniguruma folds one letter to several (ß to ss, and back); PCRE2 does not.
    if (reader_.ignore_case && character >= 0x80) reader_.refuse("(?i) over letters other than ASCII");
    if (reader_.ignore_case && syntax_ == RegexSyntax::oniguruma) refuse_ligature(character);
    out_ += spell(character);
  }

  /// Refuses pairs of letters that one character stands for in Unicode's full case folding.
  void refuse_ligature(char32_t character) {
    const auto lower = static_cast<char32_t>(character | 0x20);
    for (const std::string_view pair : {"ss", "st", "ff", "fi", "fl"}) {
      if (lower == static_cast<char32_t>(pair[1]) && folded_end_ == static_cast<char32_t>(pair[0]) &&
          out_.size() == folded_at_)
        reader_.refuse(fmt::format("{} under (?i), which stands for a ligature too", pair));
    }
    folded_end_ = lower;
    folded_at_ = out_.size() + spell(character).size();
  }

  void characters(const CharacterClass& characters) {
    const std::string atom = characters.atom();
    if (reader_.ignore_case && atom.find_first_of("p^") != std::string::npos)
      reader_.refuse("a property or a negated class under (?i)");
    out_ += atom;
  }

  void escape() {
    if (const auto known = read_escape(reader_, false)) {
      if (known->characters) {
        characters(*known->characters);
      } else {
        literal(known->code_point);
      }
      return;
    }
    const char letter = reader_.peek();
    if (!reader_.done()) ++reader_.at;
    const std::string word = fmt::format("[{}]", oniguruma_word_items);
    switch (letter) {
      case 'A':
      case 'z':
      case 'Z': out_ += {'\\', letter}; break;
      case 'b': out_ += fmt::format("(?:(?<={0})(?!{0})|(?<!{0})(?={0}))", word); break;
      case 'B': out_ += fmt::format("(?:(?<={0})(?={0})|(?<!{0})(?!{0}))", word); break;
      case 'N': out_ += R"([^\n])"; break;
      case 'R': out_ += R"((?>\r\n|[\n-\r\x{85}\x{2028}\x{2029}]))"; break;
      default: reader_.refuse(fmt::format("\\{}", letter));
    }
  }

  bool group() {
    if (reader_.take("?#")) {
      while (!reader_.take(")")) reader_.take_character();
      return false;
    }
    if (reader_.peek() == '*') reader_.refuse("(*");
    const bool outer = reader_.ignore_case;
    std::string_view opening;
    if (reader_.take("?")) {
      for (const std::string_view known : {":", "=", "!", "<=", "<!", ">"}) {
        if (opening.empty() && reader_.take(known)) opening = known;
      }
      if (opening.empty() && reader_.take("<")) opening = name();
      if (opening.empty()) return options();
    }
    out_ += fmt::format("(?{}", opening.empty() ? ":" : opening);
    close_group(outer);
    return true;
  }

  /// A group's name, which nothing can refer to here.
  std::string_view name() {
    while (!reader_.take(">")) {
      const char letter = reader_.take_character().front();
      if (std::isalnum(static_cast<unsigned char>(letter)) == 0 && letter != '_')
        reader_.refuse("the group (?<");
    }
    return ":";
  }

  void close_group(bool outer_ignore_case) {
    reader_.descend();
    alternatives();
    --reader_.depth;
    if (!reader_.take(")")) reader_.refuse("a ( without )");
    out_ += ')';
    reader_.ignore_case = outer_ignore_case;
  }

  /// (?i), (?im-i:...): `m` lets a dot match line feeds, which PCRE2 calls `s`.
  bool options() {
    const bool outer = reader_.ignore_case;
    bool on = true;
    std::string letters = "(?";
    for (;;) {
      const char letter = reader_.peek();
      if (letter == ')' || letter == ':') break;
      const bool is_known = letter == 'i' || letter == '-' || letter == 'm' ||
                            (letter == 's' && syntax_ == RegexSyntax::tiktoken);
      if (!is_known) reader_.refuse(fmt::format("the group (?{}", letter));
      ++reader_.at;
      if (letter == '-') on = false;
      if (letter == 'i') reader_.ignore_case = on;
      letters += letter == 'm' && syntax_ == RegexSyntax::oniguruma ? 's' : letter;
    }
    if (reader_.take(")")) {
      out_ += letters + ")";
      return false;
    }
    reader_.take(":");
    out_ += letters + ":";
    close_group(outer);
    return true;
  }

  /// The quantifiers behind the atom that begins at `begin` in the output.
  void quantifiers(std::size_t begin) {
    for (bool again = false;; again = true) {
      const std::size_t at = reader_.at;
      const std::string counts = quantifier();
      if (reader_.at == at) return;
      if (again) wrap(begin);
      out_ += counts;
      if (counts == "*" || counts == "+" || counts == "?") {
        if (reader_.peek() == '?' || reader_.peek() == '+') out_ += reader_.text[reader_.at++];
      } else {
        after_interval(begin, counts);
      }
    }
  }

  /// To Oniguruma `{2}?` is optional and `{1,2}+` a repetition of a repetition.
  void after_interval(std::size_t begin, const std::string& counts) {
    const bool is_exact = counts.find(',') == std::string::npos;
    if (reader_.peek() == '?') {
      if (is_exact && syntax_ == RegexSyntax::oniguruma) wrap(begin);
      out_ += '?';
      ++reader_.at;
    } else if (reader_.peek() == '+') {
      if (syntax_ == RegexSyntax::oniguruma) wrap(begin);
      out_ += '+';
      ++reader_.at;
    }
  }

  void wrap(std::size_t begin) {
    out_.insert(begin, "(?:");
    out_ += ')';
  }

  /// The next quantifier without what follows it; nothing is read when there is none.
  std::string quantifier() {
    for (const char* simple : {"*", "+", "?"}) {
      if (reader_.take(simple)) return simple;
    }
    if (reader_.peek() != '{') return {};
    const std::size_t end = reader_.text.find('}', reader_.at);
    if (end == std::string_view::npos) return {};
    const std::string_view counts = reader_.text.substr(reader_.at + 1, end - reader_.at - 1);
    const bool is_interval = counts.find_first_not_of("0123456789,") == std::string_view::npos &&
                             std::ranges::count(counts, ',') <= 1 && !counts.empty() && counts != ",";
    if (!is_interval) return {};
    reader_.at = end + 1;
    return fmt::format("{{{}{}}}", counts.front() == ',' ? "0" : "", counts);
  }

  PatternReader reader_;
  RegexSyntax syntax_;
  std::string out_;
  /// The last letter written under (?i), and where it ends in the output.
  char32_t folded_end_ = 0;
  std::size_t folded_at_ = 0;
};

}  // namespace

std::string to_pcre2(std::string_view expression, RegexSyntax syntax) {
  return Translator(expression, syntax).run();
}

}  // namespace primus::tokenizer
