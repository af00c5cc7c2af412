#include "config/yaml.h"

#include <yaml-cpp/emitterstyle.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <map>
#include <sstream>
#include <vector>

#include "config/scalar.h"
#include "config/yaml_error.h"
#include "core/utf8.h"

namespace primus::config {

namespace {

/// Builds a tree of `Value` from yaml-cpp's parse events. The types of scalars, duplicate keys and `<<` are
/// dealt with here: yaml-cpp's own rules for them are not PyYAML's.
class TreeBuilder : public YAML::EventHandler {
 public:
  TreeBuilder(std::shared_ptr<const std::string> file, Layer layer) : file_(std::move(file)), layer_(layer) {}

  Value take() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark&) override {}
  void OnDocumentEnd() override {}
  void OnAnchor(const YAML::Mark&, const std::string&) override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { add(located(Value(), mark), anchor); }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    const auto found = anchors_.find(anchor);
    if (found == anchors_.end()) fail(mark, "an alias may not be used inside the node that it names");
    Value copy = found->second;
    // A chain of aliases of aliases grows without limit; no configuration needs a million values.
    count_ += size_of(copy);
    if (count_ > 1'000'000) fail(mark, "the aliases of this file expand to more than a million values");
    add(std::move(copy), 0);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override {
    add(located(scalar(mark, tag, text), mark), anchor);
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    check_collection_tag(mark, tag, "tag:yaml.org,2002:seq");
    open_.push_back({located(Value(Value::List()), mark), anchor, mark, false, {}, {}});
  }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    check_collection_tag(mark, tag, "tag:yaml.org,2002:map");
    open_.push_back({located(Value(Map()), mark), anchor, mark, false, {}, {}});
  }
  void OnSequenceEnd() override { close(); }
  void OnMapEnd() override {
    apply_merge_keys();
    close();
  }

 private:
  struct Open {
    Value value;
    YAML::anchor_t anchor;
    YAML::Mark mark;
    bool has_key;
    std::string key;
    std::vector<Value> merges;  ///< what stands under `<<`
    int key_line = 0;
  };

  [[noreturn]] void fail(const YAML::Mark& mark, const std::string& message) const {
    throw UserError({*file_, mark.line + 1}, message);
  }

  Value located(Value value, const YAML::Mark& mark) const {
    value.origin = {layer_, file_, mark.line + 1};
    return value;
  }

  static std::size_t size_of(const Value& value) {
    std::size_t size = 1;
    if (const auto* list = value.list()) {
      for (const Value& item : *list) size += size_of(item);
    } else if (const Map* map = value.map()) {
      for (const auto& entry : *map) size += size_of(entry.second);
    }
    return size;
  }

  Value scalar(const YAML::Mark& mark, const std::string& tag, const std::string& text) const {
    if (tag == "!" || tag == "tag:yaml.org,2002:str") return Value(text);
    const Value plain = resolve_scalar(text);
    if (tag.empty() || tag == "?") return plain;
    const bool fits = (tag == "tag:yaml.org,2002:int" && plain.integer()) ||
                      (tag == "tag:yaml.org,2002:bool" && plain.boolean()) ||
                      (tag == "tag:yaml.org,2002:null" && plain.is_null()) ||
                      (tag == "tag:yaml.org,2002:float" && plain.number());
    if (fits) return plain;
    if (const auto number = parse_double(text); number && tag == "tag:yaml.org,2002:float")
      return Value(*number);
    fail(mark, fmt::format("the tag '{}' does not fit the value '{}', or is unknown", tag, text));
  }

  void check_collection_tag(const YAML::Mark& mark, const std::string& tag, std::string_view standard) const {
    if (!tag.empty() && tag != "?" && tag != "!" && tag != standard)
      fail(mark, fmt::format("unknown tag '{}'", tag));
  }

  void add(Value value, YAML::anchor_t anchor) {
    if (++count_ > 1'000'000) throw UserError({*file_, 0}, "more than a million values in one file");
    if (anchor != 0) anchors_[anchor] = value;
    if (open_.empty()) {
      root_ = std::move(value);
      return;
    }
    Open& parent = open_.back();
    if (auto* list = parent.value.list()) {
      list->push_back(std::move(value));
    } else if (parent.has_key) {
      add_entry(parent, std::move(value));
    } else {
      set_key(parent, value);
    }
  }

  void set_key(Open& parent, const Value& key) {
    if (!key.is_text()) {
      if (key.is_list() || key.is_map()) {
        throw UserError(key.origin.where(), fmt::format("{} is used as a key, and keys must be text: "
                                                        "put it in quotes, or remove a superfluous ':'",
                                                        key.a_kind()));
      }
      throw UserError(key.origin.where(),
                      fmt::format("the key '{}' is read as {}, and keys must be text: put it in quotes",
                                  key.is_null() ? "null" : key.as_written(), key.a_kind()));
    }
    parent.key = *key.text();
    parent.key_line = key.origin.line;
    parent.has_key = true;
  }

  void add_entry(Open& parent, Value value) {
    parent.has_key = false;
    if (parent.key == "<<") {
      parent.merges.push_back(std::move(value));
      return;
    }
    Map& map = *parent.value.map();
    if (const Value* first = map.find(parent.key)) {
      throw UserError({*file_, parent.key_line},
                      fmt::format("the key '{}' appears twice in one map, on line {} and on "
                                  "line {}: remove one",
                                  parent.key, first->origin.line, parent.key_line));
    }
    // A value is where its key is: a block that starts on the next line is looked for by its name.
    value.origin.line = parent.key_line;
    map.set(parent.key, std::move(value));
  }

  /// `<<: *a` or `<<: [*a, *b]` adds the keys that the map itself lacks; an earlier entry wins over a later
  /// one.
  void apply_merge_keys() {
    Open& open = open_.back();
    for (const Value& merge : open.merges) {
      const Value::List single = {merge};
      for (const Value& source : merge.list() ? *merge.list() : single) {
        if (!source.is_map()) fail(open.mark, "'<<' takes a map, or a list of maps");
        for (const auto& [key, value] : *source.map()) {
          if (!open.value.map()->contains(key)) open.value.map()->set(key, value);
        }
      }
    }
  }

  void close() {
    Open done = std::move(open_.back());
    open_.pop_back();
    add(std::move(done.value), done.anchor);
  }

  std::shared_ptr<const std::string> file_;
  Layer layer_;
  std::vector<Open> open_;
  std::map<YAML::anchor_t, Value> anchors_;
  std::size_t count_ = 0;
  Value root_;
};

/// Whether YAML has no place for this character: control characters, and the two that are none (as PyYAML).
bool is_control_character(char32_t c) {
  if (c < 0x20) return c != U'\t' && c != U'\n' && c != U'\r';
  return (c >= 0x7f && c < 0xa0 && c != 0x85) || c == 0xfffe || c == 0xffff;
}

void check_characters(std::string_view text, const std::string& file_name) {
  int line = 1;
  for (std::size_t at = 0; at < text.size();) {
    const CodePoint character = decode_utf8(text, at);
    if (character.size == 0) throw UserError({file_name, line}, "the file is not valid UTF-8");
    if (is_control_character(character.value)) {
      throw UserError({file_name, line},
                      "the file holds a control character, which YAML does not allow: delete it");
    }
    line += character.value == U'\n' ? 1 : 0;
    at += character.size;
  }
}

}  // namespace

Value parse_yaml(std::string_view text, const std::string& file_name, Layer layer) {
  check_characters(text, file_name);
  // At the end of a line yaml-cpp 0.7 does not see that a quoted text goes on; inside of a comment it does.
  std::istringstream stream{std::string(text) + (text.ends_with('\n') ? "#" : "")};
  TreeBuilder builder(std::make_shared<const std::string>(file_name), layer);
  try {
    YAML::Parser parser(stream);
    if (!parser.HandleNextDocument(builder)) return Value();
    Value root = builder.take();
    TreeBuilder second(std::make_shared<const std::string>(file_name), layer);
    if (parser.HandleNextDocument(second)) {
      throw UserError({file_name, 0}, "holds more than one YAML document; only one is allowed");
    }
    return root;
  } catch (const YAML::Exception& error) {
    throw explained(error, text, file_name);
  }
}

}  // namespace primus::config
