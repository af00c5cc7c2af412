#include "tokenizer/regex_class.h"

#include <algorithm>
#include <cctype>
#include <span>

#include "core/error.h"
#include "core/utf8.h"
#include "tokenizer/split_pattern.h"

namespace primus::tokenizer {

namespace {

/// Unicode's White_Space; PCRE2's own `\s` has U+180E too.
constexpr std::string_view space_items =
    R"(\t-\r \x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";

constexpr std::string_view bracket_word_items = R"(\p{Alphabetic}\p{M}\p{Nd}\p{Pc})";

struct Named {
  std::string_view name, items;
};

/// The classes [:name:], which mean Unicode's.
constexpr Named posix_classes[] = {
    {"alpha", R"(\p{Alphabetic})"}, {"alnum", R"(\p{Alphabetic}\p{Nd})"},
    {"ascii", R"(\x{0}-\x{7f})"},   {"blank", R"(\p{Zs}\t)"},
    {"cntrl", R"(\p{Cc})"},         {"digit", R"(\p{Nd})"},
    {"lower", R"(\p{Lowercase})"},  {"punct", R"(\p{P}\p{S})"},
    {"space", space_items},         {"upper", R"(\p{Uppercase})"},
    {"word", bracket_word_items},   {"xdigit", "0-9A-Fa-f"},
};

/// Names after \p that PCRE2 does not know, or knows otherwise.
constexpr Named properties[] = {
    {"alpha", R"(\p{Alphabetic})"},
    {"alnum", R"(\p{Alphabetic}\p{Nd})"},
    {"blank", R"(\p{Zs}\t)"},
    {"cntrl", R"(\p{Cc})"},
    {"digit", R"(\p{Nd})"},
    {"lower", R"(\p{Lowercase})"},
    {"punct", R"(\p{P})"},
    {"space", space_items},
    {"upper", R"(\p{Uppercase})"},
    {"xdigit", "0-9A-Fa-f"},
    {"lc", R"(\p{L&})"},
    {"casedletter", R"(\p{L&})"},
    {"letter", R"(\p{L})"},
    {"uppercaseletter", R"(\p{Lu})"},
    {"lowercaseletter", R"(\p{Ll})"},
    {"titlecaseletter", R"(\p{Lt})"},
    {"modifierletter", R"(\p{Lm})"},
    {"otherletter", R"(\p{Lo})"},
    {"mark", R"(\p{M})"},
    {"combiningmark", R"(\p{M})"},
    {"nonspacingmark", R"(\p{Mn})"},
    {"spacingmark", R"(\p{Mc})"},
    {"enclosingmark", R"(\p{Me})"},
    {"number", R"(\p{N})"},
    {"decimalnumber", R"(\p{Nd})"},
    {"letternumber", R"(\p{Nl})"},
    {"othernumber", R"(\p{No})"},
    {"punctuation", R"(\p{P})"},
    {"connectorpunctuation", R"(\p{Pc})"},
    {"dashpunctuation", R"(\p{Pd})"},
    {"openpunctuation", R"(\p{Ps})"},
    {"closepunctuation", R"(\p{Pe})"},
    {"initialpunctuation", R"(\p{Pi})"},
    {"finalpunctuation", R"(\p{Pf})"},
    {"otherpunctuation", R"(\p{Po})"},
    {"symbol", R"(\p{S})"},
    {"mathsymbol", R"(\p{Sm})"},
    {"currencysymbol", R"(\p{Sc})"},
    {"modifiersymbol", R"(\p{Sk})"},
    {"othersymbol", R"(\p{So})"},
    {"separator", R"(\p{Z})"},
    {"spaceseparator", R"(\p{Zs})"},
    {"lineseparator", R"(\p{Zl})"},
    {"paragraphseparator", R"(\p{Zp})"},
    {"control", R"(\p{Cc})"},
    {"format", R"(\p{Cf})"},
    {"privateuse", R"(\p{Co})"},
};

const Named* find_named(std::span<const Named> table, std::string_view name) {
  const auto found = std::ranges::find(table, name, &Named::name);
  return found == table.end() ? nullptr : &*found;
}

/// A name as Unicode compares them: without case, spaces, hyphens and underscores.
std::string loose(std::string_view name) {
  std::string result;
  for (const char c : name) {
    if (c != ' ' && c != '-' && c != '_')
      result += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return result;
}

/// \p{name} and \P{name}; `reader` is behind the `p`.
CharacterClass read_property(PatternReader& reader, bool negated) {
  const std::size_t end = reader.text.find('}', reader.at);
  if (end == std::string_view::npos) reader.refuse("\\p{ without }");
  std::string name = loose(reader.text.substr(reader.at + 1, end - reader.at - 1));
  reader.at = end + 1;
  if (name.starts_with('^')) {
    negated = !negated;
    name.erase(0, 1);
  }
  if (const Named* known = find_named(properties, name)) return {std::string(known->items), {}, negated};
  const bool is_plain =
      !name.empty() && std::ranges::all_of(name, [](char c) { return std::isalnum(c) != 0; });
  // A script's bare name would be its Script_Extensions to PCRE2.
  for (const char* form : {"\\p{{sc:{}}}", "\\p{{{}}}"}) {
    const std::string items = fmt::format(fmt::runtime(form), name);
    if (is_plain && pcre2_compiles(items)) return {items, {}, negated};
  }
  reader.refuse(fmt::format("the property \\p{{{}}}", name));
}

/// Up to `most` hexadecimal digits.
char32_t read_hex(PatternReader& reader, std::size_t least, std::size_t most) {
  char32_t value = 0;
  std::size_t count = 0;
  for (; count < most && std::isxdigit(static_cast<unsigned char>(reader.peek())) != 0;
       ++count, ++reader.at) {
    const char c = reader.peek();
    value = value * 16 + static_cast<char32_t>(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
  }
  if (count < least || value > 0x10FFFF) reader.refuse("an escape that is not a character");
  return value;
}

char32_t read_x(PatternReader& reader) {
  if (reader.take("{")) {
    const char32_t value = read_hex(reader, 1, 8);
    if (!reader.take("}")) reader.refuse("\\x{ without }");
    return value;
  }
  const char32_t value = read_hex(reader, 1, 2);
  if (value >= 0x80) reader.refuse("a byte above 0x7f written as \\x");
  return value;
}

/// The code point of a one-letter escape, or nothing.
std::optional<char32_t> control_character(char letter) {
  switch (letter) {
    case 't': return '\t';
    case 'n': return '\n';
    case 'v': return '\v';
    case 'f': return '\f';
    case 'r': return '\r';
    case 'a': return '\a';
    case 'e': return 0x1B;
    default: return std::nullopt;
  }
}

/// [:name:] or [:^name:], when that is what follows.
std::optional<CharacterClass> read_posix(PatternReader& reader) {
  if (reader.peek() != '[' || reader.peek(1) != ':') return std::nullopt;
  const std::size_t end = reader.text.find(":]", reader.at + 2);
  if (end == std::string_view::npos) return std::nullopt;
  std::string_view name = reader.text.substr(reader.at + 2, end - reader.at - 2);
  const bool negated = name.starts_with('^');
  if (negated) name.remove_prefix(1);
  const Named* known = find_named(posix_classes, name);
  if (known == nullptr) reader.refuse(fmt::format("the class [:{}:]", name));
  reader.at = end + 2;
  return CharacterClass{std::string(known->items), {}, negated};
}

/// A single character of a bracket, or the class that stands in its place.
Escape read_item(PatternReader& reader) {
  if (auto posix = read_posix(reader)) return {std::move(posix), 0};
  if (reader.take("[")) return {read_class(reader), 0};
  if (reader.take("\\")) {
    if (reader.take("b")) return {std::nullopt, '\b'};
    if (auto escape = read_escape(reader, true)) return std::move(*escape);
    reader.refuse(fmt::format("\\{} in brackets", reader.take_character()));
  }
  return {std::nullopt, decode_utf8(reader.take_character(), 0).value};
}

/// Adds the next item of a bracket: a class, a character, or a range of characters.
void read_items(PatternReader& reader, CharacterClass& result) {
  const Escape first = read_item(reader);
  if (first.characters) {
    result.add(*first.characters);
  } else if (reader.peek() != '-' || reader.peek(1) == ']') {
    result.add_range(first.code_point, first.code_point);
  } else {
    reader.take("-");
    const Escape last = read_item(reader);
    if (last.characters || last.code_point < first.code_point) reader.refuse("a range without an end");
    result.add_range(first.code_point, last.code_point);
  }
}

}  // namespace

std::string spell(char32_t code_point) {
  return fmt::format("\\x{{{:x}}}", static_cast<std::uint32_t>(code_point));
}

void CharacterClass::add(const CharacterClass& other) {
  if (other.negated || !other.others.empty()) {
    others.push_back(other.atom());
  } else {
    items += other.items;
  }
}

void CharacterClass::add_range(char32_t first, char32_t last) {
  items += spell(first);
  if (last != first) items += "-" + spell(last);
}

std::string CharacterClass::atom() const {
  if (items.empty() && others.empty()) return negated ? "(?s:.)" : "(?!)";
  if (others.empty()) return fmt::format("[{}{}]", negated ? "^" : "", items);
  std::string any = items.empty() ? "" : fmt::format("[{}]|", items);
  any += fmt::format("{}", fmt::join(others, "|"));
  return negated ? fmt::format("(?:(?!{})(?s:.))", any) : fmt::format("(?:{})", any);
}

bool PatternReader::take(std::string_view expected) {
  if (!text.substr(at).starts_with(expected)) return false;
  at += expected.size();
  return true;
}

std::string_view PatternReader::take_character() {
  if (done()) refuse("an unfinished expression");
  const std::string_view character = text.substr(at, decode_utf8(text, at).size);
  at += character.size();
  return character;
}

void PatternReader::refuse(std::string_view what) const {
  throw_user_error("the regular expression `{}` is not supported: it has {}", text, what);
}

void PatternReader::descend() {
  constexpr int deepest = 50;
  if (++depth > deepest) refuse("too deeply nested brackets and groups");
}

std::optional<Escape> read_escape(PatternReader& reader, bool in_brackets) {
  const auto named = [](std::string_view items, bool negated) {
    return Escape{CharacterClass{std::string(items), {}, negated}, 0};
  };
  const char letter = reader.peek();
  const bool is_property = (letter == 'p' || letter == 'P') && reader.peek(1) == '{';
  if (is_property) {
    ++reader.at;
    return Escape{read_property(reader, letter == 'P'), 0};
  }
  if (std::string_view("sSdDwWhHxu").find(letter) != std::string_view::npos && letter != '\0') {
    ++reader.at;
    switch (letter) {
      case 's':
      case 'S': return named(space_items, letter == 'S');
      case 'd':
      case 'D': return named(R"(\p{Nd})", letter == 'D');
      case 'w':
      case 'W': return named(in_brackets ? bracket_word_items : oniguruma_word_items, letter == 'W');
      case 'h':
      case 'H': return named("0-9A-Fa-f", letter == 'H');
      case 'x': return Escape{std::nullopt, read_x(reader)};
      default: return Escape{std::nullopt, read_hex(reader, 4, 4)};
    }
  }
  if (const auto control = control_character(letter)) {
    ++reader.at;
    return Escape{std::nullopt, *control};
  }
  // Digits refer to groups; these letters have meanings that PCRE2 does not share.
  if (std::string_view("0123456789AbBcCGgkKMNORXyYzZ").find(letter) != std::string_view::npos)
    return std::nullopt;
  return Escape{std::nullopt, decode_utf8(reader.take_character(), 0).value};
}

CharacterClass read_class(PatternReader& reader) {
  reader.descend();
  const bool negated = reader.take("^");
  CharacterClass operand;
  if (reader.take("]")) operand.add_range(']', ']');
  std::string conditions;
  while (!reader.take("]")) {
    if (reader.take("&&")) {
      conditions += fmt::format("(?={})", operand.atom());
      operand = {};
    } else {
      read_items(reader, operand);
    }
  }
  --reader.depth;
  if (!conditions.empty()) operand = {"", {fmt::format("(?:{}{})", conditions, operand.atom())}};
  operand.negated = negated;
  return operand;
}

}  // namespace primus::tokenizer
