#include "config/print.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <vector>

#include "config/scalar.h"

namespace primus::config {

namespace {

void append_code_point(std::string& out, unsigned code) {
  if (code < 0x10000) {
    fmt::format_to(std::back_inserter(out), "\\u{:04x}", code);
    return;
  }
  const unsigned rest = code - 0x10000;
  fmt::format_to(std::back_inserter(out), "\\u{:04x}\\u{:04x}", 0xd800 + (rest >> 10),
                 0xdc00 + (rest & 0x3ff));
}

/// Decodes one UTF-8 sequence at `at` and moves past it; a malformed byte stands for itself.
unsigned next_code_point(std::string_view text, std::size_t& at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(at++);
  const int extra = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : first >= 0xc0 ? 1 : 0;
  if (extra == 0 || at + static_cast<std::size_t>(extra) > text.size()) return first;
  unsigned code = first & (0x3fU >> extra);
  for (int i = 0; i < extra; ++i) code = (code << 6) | (byte(at++) & 0x3fU);
  return code;
}

std::string json_text(std::string_view text) {
  std::string out = "\"";
  for (std::size_t at = 0; at < text.size();) {
    const unsigned code = next_code_point(text, at);
    switch (code) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      case '\b': out += "\\b"; break;
      case '\f': out += "\\f"; break;
      default:
        if (code >= 0x20 && code < 0x7f) {
          out += static_cast<char>(code);
        } else {
          append_code_point(out, code);
        }
    }
  }
  return out + '"';
}

std::string_view other_tag(OtherScalar::Kind kind) {
  return kind == OtherScalar::Kind::date ? "__date__" : "__datetime__";
}

class JsonWriter {
 public:
  explicit JsonWriter(JsonStyle style) : canonical_(style == JsonStyle::canonical) {}

  std::string take() { return std::move(out_); }

  void write(const Value& value, int depth) {
    if (value.is_null()) {
      out_ += "null";
    } else if (const bool* boolean = value.boolean()) {
      out_ += *boolean ? "true" : "false";
    } else if (const auto* integer = value.integer()) {
      out_ += std::to_string(*integer);
    } else if (const double* number = value.number()) {
      write_number(*number, depth);
    } else if (const std::string* text = value.text()) {
      out_ += json_text(*text);
    } else if (const auto* list = value.list()) {
      write_list(*list, depth);
    } else if (const Map* map = value.map()) {
      write_map(*map, depth);
    } else {
      write_other(std::get<OtherScalar>(value.content), depth);
    }
  }

 private:
  void new_line(int depth) {
    if (!canonical_) return;
    out_ += '\n';
    out_.append(static_cast<std::size_t>(depth), ' ');
  }

  void write_tagged(std::string_view tag, std::string_view text, int depth) {
    out_ += '{';
    new_line(depth + 1);
    out_ += json_text(tag) + ": " + json_text(text);
    new_line(depth);
    out_ += '}';
  }

  void write_number(double number, int depth) {
    if (std::isfinite(number)) {
      out_ += python_number(number);
    } else {
      write_tagged("__float__", python_number(number), depth);
    }
  }

  void write_other(const OtherScalar& other, int depth) {
    if (other.kind == OtherScalar::Kind::big_integer) {
      out_ += other.text;
    } else {
      write_tagged(other_tag(other.kind), other.text, depth);
    }
  }

  void write_list(const Value::List& list, int depth) {
    out_ += '[';
    for (std::size_t i = 0; i < list.size(); ++i) {
      if (i > 0) out_ += canonical_ ? "," : ", ";
      new_line(depth + 1);
      write(list[i], depth + 1);
    }
    if (!list.empty()) new_line(depth);
    out_ += ']';
  }

  void write_map(const Map& map, int depth) {
    std::vector<const Map::Entry*> entries;
    for (const auto& entry : map) entries.push_back(&entry);
    if (canonical_) {
      std::sort(entries.begin(), entries.end(),
                [](const auto* a, const auto* b) { return a->first < b->first; });
    }
    out_ += '{';
    for (std::size_t i = 0; i < entries.size(); ++i) {
      if (i > 0) out_ += canonical_ ? "," : ", ";
      new_line(depth + 1);
      out_ += json_text(entries[i]->first) + ": ";
      write(entries[i]->second, depth + 1);
    }
    if (!entries.empty()) new_line(depth);
    out_ += '}';
  }

  bool canonical_;
  std::string out_;
};

/// Empty lists and maps, and all scalars, fit on the line of their key.
bool fits_on_one_line(const Value& value) {
  if (const auto* list = value.list()) {
    return std::none_of(list->begin(), list->end(), [](const Value& item) { return item.is_map(); });
  }
  return !value.is_map() || value.map()->empty();
}

std::string yaml_inline(const Value& value) {
  if (const std::string* text = value.text()) return yaml_scalar(*text);
  if (const double* number = value.number()) {
    if (std::isnan(*number)) return ".nan";
    if (std::isinf(*number)) return *number > 0 ? ".inf" : "-.inf";
    const std::string digits = python_number(*number);
    // YAML 1.1 wants a dot: 1e-05 would be text.
    const auto exponent = digits.find('e');
    if (exponent == std::string::npos || digits.find('.') != std::string::npos) return digits;
    return digits.substr(0, exponent) + ".0" + digits.substr(exponent);
  }
  if (const auto* list = value.list()) {
    std::string out = "[";
    for (std::size_t i = 0; i < list->size(); ++i) out += (i > 0 ? ", " : "") + yaml_inline((*list)[i]);
    return out + "]";
  }
  if (const auto* other = std::get_if<OtherScalar>(&value.content)) return other->text;
  return to_json(value, JsonStyle::one_line);
}

void write_yaml(std::string& out, const Value& value, std::size_t indent) {
  const std::string margin(indent, ' ');
  if (const Map* map = value.map()) {
    for (const auto& [key, item] : *map) {
      out += margin + yaml_scalar(key) + ":";
      if (fits_on_one_line(item)) {
        out += " " + yaml_inline(item) + "\n";
      } else {
        out += "\n";
        write_yaml(out, item, indent + 2);
      }
    }
  } else if (const auto* list = value.list()) {
    for (const Value& item : *list) {
      if (fits_on_one_line(item)) {
        out += margin + "- " + yaml_inline(item) + "\n";
      } else {
        out += margin + "-\n";
        write_yaml(out, item, indent + 2);
      }
    }
  } else {
    out += margin + yaml_inline(value) + "\n";
  }
}

}  // namespace

std::string python_number(double number) {
  if (std::isnan(number)) return "nan";
  if (std::isinf(number)) return number > 0 ? "inf" : "-inf";
  char digits[64];
  const auto end = std::to_chars(digits, digits + sizeof digits, number, std::chars_format::scientific).ptr;
  const std::string scientific(digits, end);
  const int exponent = std::stoi(scientific.substr(scientific.find('e') + 1));
  if (exponent < -4 || exponent >= 16) return scientific;
  const auto fixed_end = std::to_chars(digits, digits + sizeof digits, number, std::chars_format::fixed).ptr;
  std::string fixed(digits, fixed_end);
  if (fixed.find('.') == std::string::npos) fixed += ".0";
  return fixed;
}

std::string to_json(const Value& value, JsonStyle style) {
  JsonWriter writer(style);
  writer.write(value, 0);
  return writer.take();
}

std::string yaml_scalar(std::string_view text) {
  const bool plain_start =
      !text.empty() && std::string_view("-?:,[]{}#&*!|>'\"%@` ").find(text.front()) == std::string_view::npos;
  const bool plain_rest =
      std::all_of(text.begin(), text.end(), [](unsigned char c) { return c >= 0x20 && c < 0x7f; }) &&
      text.find_first_of(",[]{}") == std::string_view::npos && text.find(": ") == std::string_view::npos &&
      text.find(" #") == std::string_view::npos;
  const bool plain_end = !text.empty() && text.back() != ' ' && text.back() != ':';
  if (plain_start && plain_rest && plain_end && resolve_scalar(text).is_text()) return std::string(text);
  return json_text(text);
}

std::string to_yaml(const Value& value) {
  if (fits_on_one_line(value)) return yaml_inline(value) + "\n";
  std::string out;
  write_yaml(out, value, 0);
  return out;
}

}  // namespace primus::config
