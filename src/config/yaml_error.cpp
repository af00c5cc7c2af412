#include "config/yaml_error.h"

#include <yaml-cpp/exceptions.h>

#include <algorithm>
#include <map>

namespace primus::config {

namespace {

/// What yaml-cpp says, and what a person should look for.
const std::map<std::string_view, std::string_view> explanations = {
    {YAML::ErrorMsg::MAP_VALUE,
     "a ':' is not expected here: the line above may lack its own ':', or one of the two is indented "
     "wrongly"},
    {YAML::ErrorMsg::END_OF_MAP,
     "this line does not continue the map that it is in: check its indentation, or add the missing ':'"},
    {YAML::ErrorMsg::END_OF_SEQ,
     "this line does not continue the list that it is in: check its indentation, or add the missing '-'"},
    {YAML::ErrorMsg::END_OF_MAP_FLOW, "a map that opens with '{' is not closed before this line"},
    {YAML::ErrorMsg::END_OF_SEQ_FLOW, "a list that opens with '[' is not closed before this line"},
    {YAML::ErrorMsg::EOF_IN_SCALAR, "a text in quotes is not closed before the end of the file"},
    {YAML::ErrorMsg::BLOCK_ENTRY, "a '-' is not expected here: this line may be indented wrongly"},
    {YAML::ErrorMsg::MAP_KEY, "a key is not expected here: this line may be indented wrongly"},
    {YAML::ErrorMsg::FLOW_END, "a ']' or '}' has no opening bracket"},
    {YAML::ErrorMsg::UNKNOWN_TOKEN, "a value cannot begin like this: quote text that begins with @, ` or %"},
};

std::string_view line_at(std::string_view text, int line) {
  for (; line > 0 && !text.empty(); --line)
    text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  return text.substr(0, text.find('\n'));
}

bool is_indented_with_tab(std::string_view line) {
  const auto first = line.find_first_not_of(" \t");
  return line.substr(0, first).find('\t') != std::string_view::npos;
}

}  // namespace

UserError explained(const YAML::Exception& error, std::string_view text, const std::string& file_name) {
  for (const int line : {error.mark.line, error.mark.line - 1}) {
    if (line >= 0 && is_indented_with_tab(line_at(text, line)))
      return {{file_name, line + 1}, "this line is indented with a tab: YAML allows only spaces"};
  }
  const auto found = explanations.find(error.msg);
  return {{file_name, error.mark.line + 1},
          found == explanations.end() ? error.msg : std::string(found->second)};
}

}  // namespace primus::config
